"""What a table's row may be given: fields with their defaults, checked by one rule wherever they stand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.engine.errors import FieldError, InvalidInput
from api.engine.wording import near_miss, pointer_part, shown

NEEDED = object()
"""The default of a field that has none."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its default, and what it accepts.

    ``kind`` is ``number``, ``whole``, ``wholes`` (a list), ``switch`` or ``choice``. A number is finite, at least
    ``low`` and at most ``high``, or where ``open``, more and less than these. A default of None may also be given.
    """

    name: str
    default: Any = NEEDED
    kind: str = "number"
    low: float = 0.0
    high: float = math.inf
    open: str = ""
    choices: tuple[str, ...] = ()

    def fault(self, value: Any) -> str:
        """What is wrong with ``value``; nothing if it is accepted."""
        if value is None and self.default is None:
            return ""
        if self.kind == "switch":
            return "" if isinstance(value, bool) else f"{self.name} must be true or false, not {shown(value)}"
        if self.kind == "choice":
            known = ", ".join(self.choices)
            return "" if value in self.choices else f"{self.name} must be one of {known}, not {shown(value)}"
        if self.kind == "wholes":
            right = isinstance(value, list) and bool(value) and not any(map(self._number_fault, value))
            return "" if right else f"{self.name} must be a list of whole numbers of at least {self.low:g}"
        return self._number_fault(value)

    def _number_fault(self, value: Any) -> str:
        whole = self.kind != "number"
        number = not isinstance(value, bool) and isinstance(value, int | float) and _finite(value)
        if number and (value == int(value) or not whole) and self._within(value):
            return ""
        what = "a whole number" if whole else "a finite number"
        return f"{self.name} must be {what} {self._range()}, not {shown(value)}"

    def _within(self, value: float) -> bool:
        above = value > self.low if "(" in self.open else value >= self.low
        return above and (value < self.high if ")" in self.open else value <= self.high)

    def _range(self) -> str:
        low = f"above {self.low:g}" if "(" in self.open else f"of at least {self.low:g}"
        if self.high == math.inf:
            return low
        return f"{low} and {'below' if ')' in self.open else 'at most'} {self.high:g}"

    def taken(self, value: Any) -> Any:
        """An accepted ``value`` as it is kept."""
        if self.kind == "number" and value is not None:
            return float(value)
        if self.kind == "wholes":
            return [int(one) for one in value]
        return int(value) if self.kind == "whole" and value is not None else value


def read(fields: Sequence[Field], body: Mapping[str, Any], owner: str, pointer: str) -> dict[str, Any]:
    """Every field's value, given or by default, in the order of the table.

    Raises ``InvalidInput`` with a pointer for each unknown name, missing field and wrong value; ``owner`` is whose
    fields these are.
    """
    known = {field.name: field for field in fields}
    faults = [
        FieldError(f"{pointer}/{pointer_part(name)}", f"{owner} has no field {shown(name)}{_hint(name, known)}")
        for name in body
        if name not in known
    ]
    filled: dict[str, Any] = {}
    for field in fields:
        value = body.get(field.name, field.default)
        fault = f"{owner} needs {field.name}" if value is NEEDED else field.fault(value)
        if fault:
            faults.append(FieldError(f"{pointer}/{field.name}", fault))
        else:
            filled[field.name] = field.taken(value)
    if faults:
        raise InvalidInput(faults[0].detail, errors=faults)
    return filled


def _hint(name: str, known: Mapping[str, Field]) -> str:
    return near_miss(name, known) or (f"; it has {', '.join(known)}" if known else "")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False
