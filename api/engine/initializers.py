"""The initialisers: a table from kind to fields, defaults and the rule that draws a parameter's first value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.engine.draws import Draws
from api.engine.errors import FieldError, InvalidInput
from api.engine.wording import near_miss, pointer_part, shown

Array = NDArray[np.float64]
Fields = Mapping[str, float]
# (draws, shape, fan_in, fan_out, fields) → array of that shape
Rule = Callable[[Draws, tuple[int, ...], int, int, Fields], Array]


@dataclass(frozen=True, slots=True)
class Field:
    """One number that an initialiser takes; without a default it must be given."""

    name: str
    default: float | None = None
    minimum: float | None = None


@dataclass(frozen=True, slots=True)
class Initializer:
    """One row of the table: ``formula`` is LaTeX, ``source`` where it is defined."""

    kind: str
    fields: tuple[Field, ...]
    rule: Rule
    formula: str
    source: str

    @property
    def defaults(self) -> dict[str, float | None]:
        """Field name → default, ``None`` where there is none."""
        return {field.name: field.default for field in self.fields}


def draw(
    kind: str,
    fields: Fields,
    shape: tuple[int, ...],
    draws: Draws,
    *,
    fan_in: int | None = None,
    fan_out: int | None = None,
    pointer: str = "/initializer",
) -> float | Array:
    """The first value of a parameter: a float for shape ``()``, otherwise a float64 array, filled in row-major order.

    ``fields`` must be complete, as ``resolve`` makes them. The fans default to those of a weight [inputs, units]: the
    first and the last axis; 1 and 1 for a scalar. ``InvalidInput`` if the fields are so large that a value overflows.
    """
    inputs = fan_in if fan_in is not None else (shape[0] if shape else 1)
    units = fan_out if fan_out is not None else (shape[-1] if shape else 1)
    value = INITIALIZERS[kind].rule(draws, shape, inputs, units, fields)
    if not np.isfinite(value).all():
        raise InvalidInput(f"{kind} with these fields draws values that are not finite", pointer)
    return value if shape else float(value)


def resolve(
    body: Mapping[str, object], pointer: str = "/initializer", default_kind: str = "truncated_normal"
) -> dict[str, str | float]:
    """``{"kind": …}`` with every field filled in and checked; no kind is ``default_kind``.

    Raises ``InvalidInput`` with a pointer for each unknown kind, unknown field, missing or wrong value.
    """
    kind = body.get("kind", default_kind)
    initializer = INITIALIZERS.get(kind) if isinstance(kind, str) else None
    if not isinstance(kind, str) or initializer is None:
        raise InvalidInput(_unknown_kind(kind), f"{pointer}/kind")
    names = [field.name for field in initializer.fields]
    faults = [
        FieldError(f"{pointer}/{pointer_part(name)}", f"{kind} has no field {shown(name)}{near_miss(name, names)}")
        for name in body
        if name != "kind" and name not in names
    ]
    filled: dict[str, str | float] = {"kind": kind}
    for field in initializer.fields:
        value = body.get(field.name, field.default)
        fault = _fault(kind, field, value)
        if fault:
            faults.append(FieldError(f"{pointer}/{field.name}", fault))
        elif isinstance(value, int | float):
            filled[field.name] = float(value)
    if not faults and kind == "uniform":
        faults.extend(_uniform_faults(filled, pointer))
    if faults:
        raise InvalidInput(faults[0].detail, errors=faults)
    return filled


def numbers(resolved: Mapping[str, str | float]) -> dict[str, float]:
    """The fields of what ``resolve`` gave, without its kind, as ``draw`` takes them."""
    return {name: value for name, value in resolved.items() if not isinstance(value, str)}


def _unknown_kind(kind: object) -> str:
    hint = near_miss(kind, INITIALIZERS) if isinstance(kind, str) else ""
    return f"there is no initializer {shown(kind)}" + (hint or "; there are " + ", ".join(INITIALIZERS))


def _fault(kind: str, field: Field, value: object) -> str:
    if value is None:
        return f"{kind} needs {field.name}, a number"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{field.name} must be a number, not {shown(value)}"
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        finite = False
    if not finite:
        return f"{field.name} must be a finite number"
    if field.minimum is not None and value < field.minimum:
        return f"{field.name} must be at least {field.minimum:g}, not {shown(value)}"
    return ""


def _uniform_faults(filled: Mapping[str, str | float], pointer: str) -> list[FieldError]:
    low, high = float(filled["low"]), float(filled["high"])
    if low > high:
        return [FieldError(f"{pointer}/high", f"high must be at least low, {low:g}, not {high:g}")]
    if not math.isfinite(high - low):
        return [FieldError(f"{pointer}/high", "high − low must be finite")]
    return []


def _same(value: float, shape: tuple[int, ...]) -> Array:
    return np.full(shape, value, dtype=np.float64)


def _each(draw_one: Callable[[], float], shape: tuple[int, ...]) -> Array:
    """One number after the other: NumPy's own logarithm differs in the last bit from one processor to the next."""
    return np.array([draw_one() for _ in range(math.prod(shape))], dtype=np.float64).reshape(shape)


def _zeros(_draws: Draws, shape: tuple[int, ...], _fan_in: int, _fan_out: int, _fields: Fields) -> Array:
    return _same(0.0, shape)


def _ones(_draws: Draws, shape: tuple[int, ...], _fan_in: int, _fan_out: int, _fields: Fields) -> Array:
    return _same(1.0, shape)


def _constant(_draws: Draws, shape: tuple[int, ...], _fan_in: int, _fan_out: int, fields: Fields) -> Array:
    return _same(fields["value"], shape)


def _uniform(draws: Draws, shape: tuple[int, ...], _fan_in: int, _fan_out: int, fields: Fields) -> Array:
    low, high = fields["low"], fields["high"]
    return _each(lambda: low + (high - low) * draws.uniform(), shape)


def _normal(draws: Draws, shape: tuple[int, ...], _fan_in: int, _fan_out: int, fields: Fields) -> Array:
    mean, stddev = fields["mean"], fields["stddev"]
    return _each(lambda: mean + stddev * draws.normal(), shape)


def _truncated_normal(draws: Draws, shape: tuple[int, ...], _fan_in: int, _fan_out: int, fields: Fields) -> Array:
    mean, stddev = fields["mean"], fields["stddev"]
    return _each(lambda: mean + stddev * draws.truncated_normal(), shape)


def _uniform_within(limit: float, draws: Draws, shape: tuple[int, ...]) -> Array:
    return _each(lambda: limit * (2.0 * draws.uniform() - 1.0), shape)


def _normal_with(stddev: float, draws: Draws, shape: tuple[int, ...]) -> Array:
    return _each(lambda: stddev * draws.normal(), shape)


def _orthogonal(draws: Draws, shape: tuple[int, ...], _fan_in: int, _fan_out: int, fields: Fields) -> Array:
    """Rows (or columns, if those are fewer) that are orthonormal, by Gram and Schmidt's process on normal draws.

    Written out rather than taken from LAPACK, whose signs and last bits differ between machines.
    """
    rows = math.prod(shape[:-1]) if len(shape) > 1 else 1
    columns = shape[-1] if shape else 1
    few, many = min(rows, columns), max(rows, columns)
    vectors: list[list[float]] = []
    while len(vectors) < few:
        vector = [draws.normal() for _ in range(many)]
        for _ in range(2):  # once more takes away what rounding left
            for known in vectors:
                along = math.fsum(a * b for a, b in zip(vector, known, strict=True))
                vector = [a - along * b for a, b in zip(vector, known, strict=True)]
        length = math.sqrt(math.fsum(a * a for a in vector))
        if length > 1e-8:
            vectors.append([a / length for a in vector])
    matrix = fields["gain"] * np.array(vectors, dtype=np.float64)
    return (matrix if rows == few else matrix.T).reshape(shape)


_KERAS = "Keras 3, keras.initializers."
_NORMAL_FIELDS = (Field("mean", 0.0), Field("stddev", 0.05, minimum=0.0))

INITIALIZERS: dict[str, Initializer] = {
    row.kind: row
    for row in (
        Initializer("zeros", (), _zeros, r"w = 0", _KERAS + "Zeros"),
        Initializer("ones", (), _ones, r"w = 1", _KERAS + "Ones"),
        Initializer("constant", (Field("value"),), _constant, r"w = \text{value}", _KERAS + "Constant"),
        Initializer(
            "uniform",
            (Field("low", -0.05), Field("high", 0.05)),
            _uniform,
            r"w \sim \mathcal{U}(\text{low}, \text{high})",
            _KERAS + "RandomUniform (there minval and maxval)",
        ),
        Initializer(
            "normal",
            _NORMAL_FIELDS,
            _normal,
            r"w \sim \mathcal{N}(\text{mean}, \text{stddev}^2)",
            _KERAS + "RandomNormal",
        ),
        Initializer(
            "truncated_normal",
            _NORMAL_FIELDS,
            _truncated_normal,
            r"w \sim \mathcal{N}(\text{mean}, \text{stddev}^2),\ \text{redrawn while}\ "
            r"|w - \text{mean}| > 2\,\text{stddev}",
            _KERAS + "TruncatedNormal",
        ),
        Initializer(
            "glorot_uniform",
            (),
            lambda draws, shape, i, o, _: _uniform_within(math.sqrt(6.0 / (i + o)), draws, shape),
            r"w \sim \mathcal{U}(\pm\sqrt{6 / (\text{fan}_{in} + \text{fan}_{out})})",
            "X. Glorot, Y. Bengio, 2010; " + _KERAS + "GlorotUniform",
        ),
        Initializer(
            "glorot_normal",
            (),
            lambda draws, shape, i, o, _: _normal_with(math.sqrt(2.0 / (i + o)), draws, shape),
            r"w \sim \mathcal{N}(0, 2 / (\text{fan}_{in} + \text{fan}_{out}))",
            "X. Glorot, Y. Bengio, 2010; torch.nn.init.xavier_normal_",
        ),
        Initializer(
            "he_uniform",
            (),
            lambda draws, shape, i, _o, _: _uniform_within(math.sqrt(6.0 / i), draws, shape),
            r"w \sim \mathcal{U}(\pm\sqrt{6 / \text{fan}_{in}})",
            "K. He et al., 2015; " + _KERAS + "HeUniform",
        ),
        Initializer(
            "he_normal",
            (),
            lambda draws, shape, i, _o, _: _normal_with(math.sqrt(2.0 / i), draws, shape),
            r"w \sim \mathcal{N}(0, 2 / \text{fan}_{in})",
            "K. He et al., 2015; torch.nn.init.kaiming_normal_",
        ),
        Initializer(
            "lecun_uniform",
            (),
            lambda draws, shape, i, _o, _: _uniform_within(math.sqrt(3.0 / i), draws, shape),
            r"w \sim \mathcal{U}(\pm\sqrt{3 / \text{fan}_{in}})",
            "Y. LeCun et al., 1998; " + _KERAS + "LecunUniform",
        ),
        Initializer(
            "lecun_normal",
            (),
            lambda draws, shape, i, _o, _: _normal_with(math.sqrt(1.0 / i), draws, shape),
            r"w \sim \mathcal{N}(0, 1 / \text{fan}_{in})",
            "Y. LeCun et al., 1998; S. Klambauer et al., 2017",
        ),
        Initializer(
            "orthogonal",
            (Field("gain", 1.0),),
            _orthogonal,
            r"W^\top W = \text{gain}^2 I",
            "A. Saxe et al., 2013; " + _KERAS + "Orthogonal",
        ),
    )
}
