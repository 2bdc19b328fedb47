"""How much room the parts of a drawn graph need: from its structure alone, so that nothing moves as numbers change."""

from __future__ import annotations

import math
import re
from typing import Any

from api.pages import figures, notation

NODE_HEIGHT = 58.0
LABEL_LINE = 14.0

NAME_SIZE = 17.0
VALUE_SIZE = 12.0
SMALL_SIZE = 11.0

_NODE_WIDTHS = (66.0, 104.0, 120.0)  # for one number, two, more
_LABEL_WIDTHS = (47.0, 88.0, 104.0)
_PORT = 36.0  # what one more incoming edge widens a node by
_WIDEST = 216.0
_NAME = re.compile(r"[A-Za-z_]\w*(?!\()\b")
_LONGEST_FORMULA = 9
_WIDEST_FRACTION = 62.0


def node_size(node: dict[str, Any], incoming: int) -> tuple[float, float]:
    """Width and height of a node's box; a node that many edges enter is wide, so that they enter apart."""
    width = max(
        _by_count(_NODE_WIDTHS, _count(node)),
        name_width(node_title(node), NAME_SIZE) + 16,
        min(_PORT * incoming, _WIDEST) if incoming > 2 else 0,
    )
    return width, NODE_HEIGHT


def label_size(edge: dict[str, Any], source: dict[str, Any], target: dict[str, Any]) -> tuple[float, float]:
    """Width and height of the label on an edge: the partial's sign over its number."""
    width = _by_count(_LABEL_WIDTHS, max(_count(source), _count(target)))
    sign = partial_sign(edge)
    if sign is None:
        return width, LABEL_LINE
    if sign == "":
        return max(width, _fraction_width(edge)), 2 * LABEL_LINE
    return max(width, figures.text_width(sign, SMALL_SIZE)), 2 * LABEL_LINE


def partial_sign(edge: dict[str, Any]) -> str | None:
    """What stands over the number on an edge: ``""`` for ∂target/∂source, a short formula, or None for nothing.

    Between named nodes the fraction says it, unless it is too wide to stand beside others; inner operations have no
    names, so their rule is shown (``x1``, ``2*e``), unless it is long or already a number.
    """
    if notation.is_name(edge["source"]) and notation.is_name(edge["target"]):
        return "" if _fraction_width(edge) <= _WIDEST_FRACTION else None
    formula = str(edge["partial"]["formula"] or "")
    if len(formula) > _LONGEST_FORMULA or ":" in formula or not _NAME.search(formula):
        return None
    return _NAME.sub(lambda name: notation.text(name[0]), formula).replace("*", "·").replace("-", figures.MINUS)


def node_title(node: dict[str, Any]) -> str:
    """The name of a node, or the sign of its operation if it has none, or a constant's number."""
    node_id = str(node["id"])
    if notation.is_name(node_id):
        return node_id
    if node["role"] == "constant":
        return figures.fitted(node["value"], 44, NAME_SIZE)
    if node["op"] is not None and node["role"] == "operation":
        return notation.operation_sign(str(node["op"]))
    return node_id


def name_width(name: str, size: float) -> float:
    """About how wide a name is: its letters at ``size`` pixels, its subscript small."""
    sign = notation.symbol(name)
    wide = 0.75 if sign.italic else 0.62
    return len(sign.base) * size * wide + figures.text_width(sign.subscript, SMALL_SIZE)


def _fraction_width(edge: dict[str, Any]) -> float:
    names = name_width(edge["source"], 13) + name_width(edge["target"], 13)
    return names + figures.text_width("∂/∂", SMALL_SIZE)


def _count(node: dict[str, Any]) -> int:
    return math.prod(node["shape"] or ())


def _by_count(widths: tuple[float, float, float], count: int) -> float:
    return widths[0] if count < 2 else widths[1] if count == 2 else widths[2]
