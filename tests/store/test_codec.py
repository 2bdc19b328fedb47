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

from api.store.codec import decode_frame, decode_losses, encode_frame, encode_losses
from api.training.session import Position, Progress, Snapshot, Value

SHAPES: dict[str, tuple[int, ...]] = {"w": (2, 3), "b": (), "v": (1,)}
DEFINITION: Any = SimpleNamespace(
    names=tuple(SHAPES), shapes=SHAPES, slot_names=("m", "v"), slot_shapes=lambda _slot: SHAPES
)
NUMBERS = st.floats(width=64)


def values(numbers: list[float]) -> dict[str, Value]:
    return {"w": np.array(numbers[:6]).reshape(2, 3), "b": numbers[6], "v": np.array(numbers[7:8])}


@given(st.lists(NUMBERS, min_size=24, max_size=24), st.none() | NUMBERS, st.none() | NUMBERS, NUMBERS)
def test_a_frame_keeps_every_bit(numbers: list[float], first: float | None, last: float | None, total: float) -> None:
    slots = {"m": values(numbers[8:16]), "v": values(numbers[16:])}
    snapshot = Snapshot(Position(3, 2, 1, 0), values(numbers[:8]), slots, Progress(first, last, total))
    frame = encode_frame(DEFINITION, snapshot)
    assert len(frame) == 8 * 27
    again = decode_frame(DEFINITION, Position(3, 2, 1, 0), frame)
    assert encode_frame(DEFINITION, again) == frame
    assert (again.progress.first_epoch_loss is None) == (first is None)
    assert (again.progress.last_epoch_loss is None) == (last is None)
    assert again.position == snapshot.position
    assert isinstance(again.parameters["b"], float)
    assert np.shape(again.slots["m"]["w"]) == (2, 3)


def test_a_frame_is_little_endian_in_the_definitions_order() -> None:
    definition: Any = SimpleNamespace(names=("a", "b"), shapes={"a": (), "b": ()}, slot_names=())
    snapshot = Snapshot(Position(), {"b": 2.0, "a": -0.0}, {}, Progress(None, 1.5, 0.25))
    frame = encode_frame(definition, snapshot)
    assert frame[:16] == struct.pack("<2d", -0.0, 2.0)
    assert math.isnan(struct.unpack_from("<d", frame, 16)[0])
    assert frame[24:] == struct.pack("<2d", 1.5, 0.25)


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
