from __future__ import annotations

import math
import struct
from array import array
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.engine.schedules import Plateau
from api.store.codec import decode_epochs, decode_frame, decode_losses, encode_epochs, encode_frame, encode_losses
from api.training.snapshot import EpochEnd, Metrics, Position, Progress, Snapshot, Value
from api.training.split import Split

SHAPES: dict[str, tuple[int, ...]] = {"w": (2, 3), "b": (), "v": (1,)}
ALL_TRAIN = Split(())
DEFINITION: Any = SimpleNamespace(
    names=tuple(SHAPES), shapes=SHAPES, slot_names=("m", "v"), slot_shapes=lambda _slot: SHAPES, split=ALL_TRAIN
)
HELD_OUT: Any = SimpleNamespace(**{**vars(DEFINITION), "split": Split((0,), (1,))})
NUMBERS = st.floats(width=64)


def values(numbers: list[float]) -> dict[str, Value]:
    return {"w": np.array(numbers[:6]).reshape(2, 3), "b": numbers[6], "v": np.array(numbers[7:8])}


@given(st.lists(NUMBERS, min_size=24, max_size=24), st.none() | NUMBERS, st.none() | NUMBERS, NUMBERS)
def test_a_frame_keeps_every_bit(numbers: list[float], first: float | None, last: float | None, total: float) -> None:
    slots = {"m": values(numbers[8:16]), "v": values(numbers[16:])}
    snapshot = Snapshot(Position(3, 2, 1, 0), values(numbers[:8]), slots, Progress(first, last, total))
    frame = encode_frame(DEFINITION, snapshot)
    assert len(frame) == 8 * 27 + 4
    again = decode_frame(DEFINITION, Position(3, 2, 1, 0), frame)
    assert encode_frame(DEFINITION, again) == frame
    assert (again.progress.first_epoch_loss is None) == (first is None)
    assert (again.progress.last_epoch_loss is None) == (last is None)
    assert again.position == snapshot.position
    assert isinstance(again.parameters["b"], float)
    assert np.shape(again.slots["m"]["w"]) == (2, 3)


def test_a_frame_is_little_endian_in_the_definitions_order() -> None:
    definition: Any = SimpleNamespace(names=("a", "b"), shapes={"a": (), "b": ()}, slot_names=(), split=ALL_TRAIN)
    snapshot = Snapshot(Position(), {"b": 2.0, "a": -0.0}, {}, Progress(None, 1.5, 0.25))
    frame = encode_frame(definition, snapshot)
    assert frame[:16] == struct.pack("<2d", -0.0, 2.0)
    assert math.isnan(struct.unpack_from("<d", frame, 16)[0])
    assert frame[24:40] == struct.pack("<2d", 1.5, 0.25)


@pytest.mark.parametrize("plateau", [None, Plateau(1.0, 0.0, 2.0, 3.0)])
@given(metrics=st.none() | st.builds(Metrics, *[st.none() | NUMBERS] * 4))
def test_a_frame_keeps_the_metrics_where_rows_are_held_out(metrics: Metrics | None, plateau: Plateau | None) -> None:
    slots = {"m": values([0.0] * 8), "v": values([0.0] * 8)}
    snapshot = Snapshot(Position(), values([0.0] * 8), slots, Progress(None, None, 1.5, plateau, metrics))
    frame = encode_frame(HELD_OUT, snapshot)
    again = decode_frame(HELD_OUT, Position(), frame)
    assert encode_frame(HELD_OUT, again) == frame
    known = None if metrics == Metrics() else metrics
    assert repr(again.progress) == repr(Progress(None, None, 1.5, plateau, known))


def test_a_frame_of_another_definition_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        decode_frame(DEFINITION, Position(), bytes(8 * 28))


def test_what_is_decoded_cannot_be_changed() -> None:
    snapshot = Snapshot(Position(), values([0.0] * 8), {"m": values([0.0] * 8), "v": values([0.0] * 8)}, Progress())
    again: Any = decode_frame(DEFINITION, Position(), encode_frame(DEFINITION, snapshot)).parameters["w"]
    with pytest.raises(ValueError, match="read-only"):
        again[0, 0] = 1.0


@given(st.lists(NUMBERS))
def test_losses_keep_every_bit(numbers: list[float]) -> None:
    losses = array("d", numbers)
    assert decode_losses(encode_losses(losses)).tobytes() == losses.tobytes()


@given(st.lists(st.builds(EpochEnd, st.integers(0, 2**53), NUMBERS, st.builds(Metrics, *[st.none() | NUMBERS] * 4))))
def test_ends_of_epochs_keep_every_bit(ends: list[EpochEnd]) -> None:
    packed = encode_epochs(ends)
    assert (packed is None) == (not ends)
    assert repr(decode_epochs(packed)) == repr(ends)
    assert encode_epochs(decode_epochs(packed)) == packed
