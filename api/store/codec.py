"""Numbers to bytes and back, without losing a bit.

A frame is a READY snapshot as little-endian float64: the parameters in the definition's order, then each optimiser
slot in the same order, then the three numbers of the progress, where one special NaN stands for None, the four metrics
where rows are held out, and four more numbers where a schedule watches the losses.
"""

from __future__ import annotations

import json
import struct
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from api.engine.schedules import Plateau
from api.store.seals import seal, seal_text, unseal, unseal_text
from api.training.snapshot import EpochEnd, Metrics, Position, Progress, Snapshot, Value

if TYPE_CHECKING:
    from api.training.definition import Definition

_FLOAT = struct.Struct("<d")
_PLATEAU = struct.Struct("<4d")
_METRICS = 8 * len(Metrics._fields)
_ABSENT = struct.pack("<Q", 0x7FF8_0000_4E4F_4E45)  # a NaN that no arithmetic yields


def encode_frame(definition: Definition, snapshot: Snapshot) -> bytes:
    """A snapshot's numbers; its position is kept in columns."""
    names = definition.names
    pieces = [_pack(snapshot.parameters[name]) for name in names]
    for slot in definition.slot_names:
        values = snapshot.slots[slot]
        pieces += [_pack(values[name]) for name in names]
    progress = snapshot.progress
    pieces += [_pack_optional(progress.first_epoch_loss), _pack_optional(progress.last_epoch_loss)]
    pieces.append(_FLOAT.pack(progress.epoch_loss_sum))
    if definition.split.held_out:
        pieces += map(_pack_optional, progress.metrics or Metrics())
    pieces += map(_FLOAT.pack, progress.plateau or ())
    return seal(b"".join(pieces))


def decode_frame(definition: Definition, position: Position, frame: bytes) -> Snapshot:
    """The inverse of ``encode_frame``; raises ValueError if the bytes do not fit the definition."""
    frame = unseal(frame)
    shapes = [(name, tuple(definition.shapes[name])) for name in definition.names]
    parameters, start = _unpack(shapes, frame, 0)
    slots: dict[str, Mapping[str, Value]] = {}
    for slot in definition.slot_names:
        slots[slot], start = _unpack(list(definition.slot_shapes(slot).items()), frame, start)
    end = start + 24 + (_METRICS if definition.split.held_out else 0)
    if len(frame) not in (end, end + _PLATEAU.size):
        raise ValueError(f"a frame of {len(frame)} bytes where {end} were expected")
    first, last = (_unpack_optional(frame[start + n : start + n + 8]) for n in (0, 8))
    plateau = Plateau(*_PLATEAU.unpack_from(frame, end)) if len(frame) > end else None
    metrics = Metrics(*(_unpack_optional(frame[place : place + 8]) for place in range(start + 24, end, 8)))
    known = None if metrics == Metrics() else metrics
    progress = Progress(first, last, _FLOAT.unpack_from(frame, start + 16)[0], plateau, known)
    return Snapshot(position, parameters, slots, progress)


def _pack(value: Value) -> bytes:
    if isinstance(value, float):
        return _FLOAT.pack(value)
    return np.ascontiguousarray(value, dtype="<f8").tobytes()


def _unpack(shapes: list[tuple[str, tuple[int, ...]]], frame: bytes, start: int) -> tuple[dict[str, Value], int]:
    values: dict[str, Value] = {}
    for name, shape in shapes:
        if shape:
            count = int(np.prod(shape))
            # a copy, because kernels may round differently on memory that is aligned differently
            value = np.frombuffer(frame, "<f8", count, start).astype(np.float64, copy=True).reshape(shape)
            value.flags.writeable = False
            values[name] = value
            start += 8 * count
        else:
            values[name] = _FLOAT.unpack_from(frame, start)[0]
            start += 8
    return values, start


def _pack_optional(value: float | None) -> bytes:
    return _ABSENT if value is None else _FLOAT.pack(value)


def _unpack_optional(raw: bytes) -> float | None:
    return None if raw == _ABSENT else float(_FLOAT.unpack(raw)[0])


def encode_losses(losses: Sequence[float]) -> bytes:
    """A run's losses, one float64 for each finished step."""
    packed = array("d", losses)
    if sys.byteorder == "big":
        packed.byteswap()
    return seal(packed.tobytes())


def decode_losses(raw: bytes) -> array[float]:
    """The inverse of ``encode_losses``."""
    losses = array("d")
    losses.frombytes(unseal(raw))
    if sys.byteorder == "big":
        losses.byteswap()
    return losses


def encode_epochs(epochs: Sequence[EpochEnd]) -> bytes | None:
    """Ends of epochs, six float64 each: the step, the mean loss, the metrics; None if there are none."""
    packed = [_FLOAT.pack(one.step) + b"".join(map(_pack_optional, (one.loss, *one.metrics))) for one in epochs]
    return seal(b"".join(packed)) if packed else None


def decode_epochs(raw: bytes | None) -> list[EpochEnd]:
    """The inverse of ``encode_epochs``."""
    raw = unseal(bytes(raw)) if raw else b""
    numbers = [_unpack_optional(raw[place : place + 8]) for place in range(0, len(raw), 8)]
    found = []
    for place in range(0, len(numbers), 6):
        step, loss, *metrics = numbers[place : place + 6]
        assert step is not None, "an epoch's end has its step"
        assert loss is not None, "an epoch's end has its loss"
        found.append(EpochEnd(int(step), loss, Metrics(*metrics)))
    return found


def encode_json(value: Mapping[str, Any]) -> str:
    """JSON text, on one line, with its checksum."""
    return seal_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def decode_json(text: str) -> dict[str, Any]:
    """The inverse of ``encode_json``."""
    value: dict[str, Any] = json.loads(unseal_text(text))
    return value
