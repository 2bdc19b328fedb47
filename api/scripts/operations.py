"""The table of operations as scripts write them: one row each, a column for each target.

A column is a template (see ``pieces``) in the operands ``a`` and ``b``, the number of rows ``n`` and, where an
operation takes any number of operands, ``part0``, ``part1``, …; or a function that makes one for the call at hand.
``vjps`` are NumPy's too: for each operand the gradient ``g`` of the result carried back to it, in which ``y`` is the
result. Sums over what was broadcast are not in them (``chain`` undoes that, once for all).

What a library lacks is one of ``helpers``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from api.engine.tensor_ops import Call, picked
from api.scripts.literals import short

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """One call of an operation: what ``tensor_ops`` knows of it, which operands have rows, the result's ``shape`` for
    one example, and a power's ``exponent``."""

    call: Call
    batched: tuple[bool, ...]
    shape: Shape
    exponent: float = 0.0

    @property
    def lead(self) -> int:
        """1 where the result has rows."""
        return self.call.lead


Form = str | Callable[[Use], str]


@dataclass(frozen=True, slots=True)
class Spelling:
    """One row. ``whole`` says that the vjps need a gradient with every number written out, not one that is still to be
    broadcast; ``kept``, that they want gradient and result with the reduced axes as axes of length 1."""

    numpy: Form
    pytorch: Form
    jax: Form
    tensorflow: Form
    vjps: tuple[Form, ...]
    whole: bool = False
    kept: bool = False


def _everywhere(form: Form, *vjps: Form) -> Spelling:
    return Spelling(form, form, form, form, vjps)


def _called(name: str, *vjps: Form, torch: str = "", jax: str = "", tf: str = "", numpy: str = "") -> Spelling:
    """A function of the same name in all four, but for those given."""
    calls = (numpy or f"np.{name}", torch or f"torch.{name}", jax or f"jnp.{name}", tf or f"tf.{name}")
    in_numpy, in_torch, in_jax, in_tensorflow = (f"{call}({{a}})" for call in calls)
    return Spelling(in_numpy, in_torch, in_jax, in_tensorflow, vjps)


def _larger(name: str, first: str, second: str) -> Spelling:
    return Spelling(
        f"np.{name}({{a}}, {{b}})", f"torch.{name}({{a:tensor}}, {{b:tensor}})", f"jnp.{name}({{a}}, {{b}})",
        f"{name}({{a:tensor}}, {{b:tensor}})", (f"{{g:product}} * {first}", f"{{g:product}} * {second}"),
    )  # fmt: skip


# powers


def _power(use: Use) -> str:
    return f"{{a:atom}}**{_exponent(use.exponent)}"


def _jax_power(use: Use) -> str:
    # jax multiplies out every whole power, and derives what it has multiplied out
    whole = use.exponent == int(use.exponent) and abs(use.exponent) <= 16
    return _power(use) if whole else f"jnp.power({{a:tensor}}, {use.exponent!r})"


def _tensorflow_power(use: Use) -> str:
    # the derivative of x**0 would be 0*x**-1 there, which is nan at 0
    return _power(use) if use.exponent else "tf.ones_like({a:tensor})"


def _power_vjp(use: Use) -> str:
    c = use.exponent
    return f"{{g:product}} * {_exponent(c)} * {{a:atom}}**{_exponent(c - 1)}" if c else "{g:product} * 0"


def _exponent(value: float) -> str:
    return short(value) if value >= 0 else f"({short(value)})"


# reductions and softmax


def _axes(use: Use, word: str) -> str:
    """``, axis=1`` for the axes reduced, nothing if these are all."""
    axes = use.call.axes()
    if len(axes) == len(use.call.shapes[0]) and not use.lead:
        return ""
    return f", {word}={axes[0] if len(axes) == 1 else axes}"


def _reduced(function: str, word: str = "axis", always: bool = False) -> Callable[[Use], str]:
    def form(use: Use) -> str:
        if not use.call.axes():
            return "{a:tensor}"  # of a number
        axes = _axes(use, word) or (f", {word}={use.call.axes()}" if always else "")
        return f"{function}({{a:tensor}}{axes})"

    return form


def _reduction(name: str, vjp: Form, torch: str, tf: str, whole: bool = False) -> Spelling:
    return Spelling(
        _reduced(f"np.{name}"), _reduced(f"torch.{torch}", "dim"), _reduced(f"jnp.{name}"),
        _reduced(f"tf.{tf}"), (vjp,), whole, kept=True,
    )  # fmt: skip


def _mean_vjp(use: Use) -> str:
    count = math.prod(use.call.shapes[0][axis - use.lead] for axis in use.call.axes())
    return f"{{g:product}} / {count}" if count > 1 else "{g}"


def _max_vjp(use: Use) -> str:
    if not use.call.axes():
        return "{g}"
    hit = "{a:sum} == {y:sum}"
    return f"{{g:product}} * ({hit}) / np.sum({hit}{_axes(use, 'axis')}, keepdims=True)"


def _along(function: str, word: str = "axis") -> Callable[[Use], str]:
    return lambda use: f"{function}({{a}}, {word}={_last(use)})"


def _last(use: Use) -> int:
    axis = use.call.axis()
    return -1 if axis is None else axis


def _softmax_vjp(use: Use) -> str:
    return f"{{y:product}} * ({{g:sum}} - np.sum({{g:product}} * {{y:unary}}, axis={_last(use)}, keepdims=True))"


def _log_softmax_vjp(use: Use) -> str:
    return f"{{g:sum}} - np.exp({{y}}) * np.sum({{g}}, axis={_last(use)}, keepdims=True)"


# products


def _subscripts(use: Use) -> tuple[str, str, str]:
    """The axes of both operands and of the product: n rows, k what is summed over."""
    (left, right), (rows, more) = use.call.shapes, use.batched
    first = "n" * rows + ("ik" if len(left) == 2 else "k")
    second = "n" * more + ("kj" if len(right) == 2 else "k")
    return first, second, "".join(letter for letter in "nij" if letter in first + second)


def _matmul(module: str) -> Callable[[Use], str]:
    def form(use: Use) -> str:
        first, second, result = _subscripts(use)
        plain = second in ("kj", "k") or (len(use.call.shapes[1]) == 2 and first != "nk")
        if module == "tf":  # whose @ knows no vectors
            plain = min(len(first), len(second)) > 1 and second != "nk" and (first, second) != ("nk", "nkj")
        if plain:
            return "{a:unary} @ {b:unary}"
        return f'{module}.einsum("{first},{second}->{result}", {{a}}, {{b}})'

    return form


def _matmul_vjp(place: int) -> Callable[[Use], str]:
    def form(use: Use) -> str:
        first, second, result = _subscripts(use)
        if second == "kj" and first in ("nk", "ik"):
            return ("{g:unary} @ {b:atom}.T", "{a:atom}.T @ {g:unary}")[place]
        if second == "k" and first in ("nk", "ik"):
            return ("np.outer({g}, {b})", "{a:atom}.T @ {g:unary}")[place]
        if place == 0:
            return f'np.einsum("{result},{second}->{first}", {{g}}, {{b}})'
        return f'np.einsum("{first},{result}->{second}", {{a}}, {{g}})'

    return form


# shapes


def sizes(shape: Shape, lead: int) -> str:
    """A shape as a tuple's text, the rows first."""
    parts = ["{n}"] * lead + [str(size) for size in shape]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"


def _turned(call: str) -> Callable[[Use], str]:
    """``call`` is a template with {axes}, for what is not a plain matrix."""

    def form(use: Use) -> str:
        count = len(use.call.shapes[0])
        if count < 2:
            return "{a:tensor}"
        axes = (*range(use.lead), *reversed(range(use.lead, use.lead + count)))
        matrix = count == 2 and not use.lead and not call.startswith("tf.")
        return "{a:atom}.T" if matrix else call.replace("AXES", str(axes))

    return form


def _turned_back(use: Use) -> str:
    count = len(use.call.shapes[0])
    return "{g}" if count < 2 else _turned("np.transpose({g}, AXES)")(use).replace("{a", "{g")


def _reshaped(call: str, operand: str = "") -> Callable[[Use], str]:
    return lambda use: call.replace("SHAPE", sizes(use.call.shapes[0] if operand else use.shape, use.lead))


def _joined(call: str, widened: str) -> Callable[[Use], str]:
    """``widened`` gives a part without rows the rows of the others; its template has PART and SHAPE."""

    def form(use: Use) -> str:
        axis = use.call.axis()
        parts = []
        for place, (shape, batched) in enumerate(zip(use.call.shapes, use.batched, strict=True)):
            part = f"{{part{place}:tensor}}"
            same = batched or not use.lead
            parts.append(part if same else widened.replace("PART", part).replace("SHAPE", sizes(shape, 1)))
        return call.replace("PARTS", ", ".join(parts)).replace("AXIS", str(axis or use.lead))

    return form


def concat_vjp(use: Use, place: int) -> str:
    """The part of the gradient that belongs to the operand at ``place``."""
    axis = use.call.axis() or use.lead
    lengths = [shape[axis - use.lead] for shape in use.call.shapes]
    start = sum(lengths[:place])
    return f"{{g:atom}}[{':, ' * axis}{start}:{start + lengths[place]}]"


def _items(use: Use) -> str:
    """An index as it is written, the rows first."""
    found = [":"] * use.lead
    for item in picked(use.call.shapes[0], use.call.static):
        if isinstance(item, int):
            found.append(str(item))
        else:
            found.append(":".join("" if end is None else str(end) for end in (item.start, item.stop)))
    return ", ".join(found)


def _index(use: Use) -> str:
    return f"{{a:atom}}[{_items(use)}]"


def _index_vjp(use: Use) -> str:
    return f"placed({{g}}, {sizes(use.call.shapes[0], use.lead)}, np.s_[{_items(use)}])"


_TABLE: dict[str, Spelling] = {
    "add": _everywhere("{a:sum} + {b:product}", "{g}", "{g}"),
    "subtract": _everywhere("{a:sum} - {b:product}", "{g}", "-{g:power}"),
    "multiply": _everywhere("{a:product} * {b:unary}", "{g:product} * {b:unary}", "{g:product} * {a:unary}"),
    "divide": _everywhere("{a:product} / {b:unary}", "{g:product} / {b:unary}",
                          "-{g:power} * {y:unary} / {b:unary}"),
    "negative": _everywhere("-{a:power}", "-{g:power}"),
    "power": Spelling(_power, _power, _jax_power, _tensorflow_power, (_power_vjp,)),
    "identity": _everywhere("{a:tensor}", "{g}"),
    "square": _everywhere("{a:atom}**2", "{g:product} * 2 * {a:unary}"),
    "exp": _called("exp", "{g:product} * {y:unary}"),
    "log": _called("log", "{g:product} / {a:unary}", tf="tf.math.log"),
    "sqrt": _called("sqrt", "{g:product} / (2 * {y:unary})"),
    "tanh": _called("tanh", "{g:product} * (1 - {y:atom}**2)"),
    "sigmoid": _called("sigmoid", "{g:product} * {y:unary} * (1 - {y:product})", numpy="sigmoid",
                       jax="jax.nn.sigmoid"),
    "relu": Spelling("np.maximum({a}, 0)", "torch.relu({a})", "jax.nn.relu({a})", "tf.nn.relu({a})",
                     ("{g:product} * np.where({a:sum} > 0, 1.0, 0.0)",)),
    # torch's softplus is a straight line from its threshold on: from 40 on that is so to the last bit
    "softplus": Spelling("np.logaddexp(0, {a})", "torch.nn.functional.softplus({a}, threshold=40)",
                         "jax.nn.softplus({a})", "tf.math.softplus({a})", ("{g:product} * sigmoid({a})",)),
    "sin": _called("sin", "{g:product} * np.cos({a})"),
    "cos": _called("cos", "-{g:power} * np.sin({a})"),
    "abs": _called("abs", "{g:product} * np.sign({a})", jax="absolute"),
    "maximum": _larger("maximum", "above({a}, {b})", "above({b}, {a})"),
    "minimum": _larger("minimum", "above({b}, {a})", "above({a}, {b})"),
    "matmul": Spelling(_matmul("np"), _matmul("torch"), _matmul("jnp"), _matmul("tf"),
                       (_matmul_vjp(0), _matmul_vjp(1)), whole=True),
    "transpose": Spelling(_turned("np.transpose({a}, AXES)"), _turned("{a:atom}.permute(AXES)"),
                          _turned("jnp.transpose({a}, AXES)"), _turned("tf.transpose({a}, AXES)"),
                          (_turned_back,), whole=True),
    "sum": _reduction("sum", "{g}", "sum", "reduce_sum"),
    "mean": _reduction("mean", _mean_vjp, "mean", "reduce_mean"),
    "max": _reduction("max", _max_vjp, "amax", "reduce_max"),
    "logsumexp": Spelling(_reduced("logsumexp"), _reduced("torch.logsumexp", "dim", always=True),
                          _reduced("jax.nn.logsumexp"), _reduced("tf.reduce_logsumexp"),
                          ("{g:product} * np.exp({a:sum} - {y:product})",), kept=True),
    "softmax": Spelling(_along("softmax"), _along("torch.softmax", "dim"), _along("jax.nn.softmax"),
                        _along("tf.nn.softmax"), (_softmax_vjp,), whole=True),
    "log_softmax": Spelling(_along("log_softmax"), _along("torch.log_softmax", "dim"), _along("jax.nn.log_softmax"),
                            _along("tf.nn.log_softmax"), (_log_softmax_vjp,), whole=True),
    "concat": Spelling(_joined("np.concatenate([PARTS], axis=AXIS)", "np.broadcast_to(PART, SHAPE)"),
                       _joined("torch.cat([PARTS], dim=AXIS)", "torch.broadcast_to(PART, SHAPE)"),
                       _joined("jnp.concatenate([PARTS], axis=AXIS)", "jnp.broadcast_to(PART, SHAPE)"),
                       _joined("tf.concat([PARTS], axis=AXIS)", "tf.broadcast_to(PART, SHAPE)"), (), whole=True),
    "reshape": Spelling(_reshaped("np.reshape({a}, SHAPE)"), _reshaped("torch.reshape({a:tensor}, SHAPE)"),
                        _reshaped("jnp.reshape({a:tensor}, SHAPE)"), _reshaped("tf.reshape({a:tensor}, SHAPE)"),
                        (_reshaped("np.reshape({g}, SHAPE)", "operand"),), whole=True),
    "index": _everywhere(_index, _index_vjp),
    "mean_rows": Spelling("np.mean({a})", "torch.mean({a})", "jnp.mean({a})", "tf.reduce_mean({a})",
                          ("{g:product} / {n:unary}",)),
    "sum_rows": Spelling("np.sum({a})", "torch.sum({a})", "jnp.sum({a})", "tf.reduce_sum({a})", ("{g}",)),
}  # fmt: skip

SPELLINGS: Mapping[str, Spelling] = _TABLE
