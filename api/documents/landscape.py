"""A loss landscape on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from api.documents.schemas import Document, NonFinite
from api.training.landscape import Axis, Landscape, Walked, Which, landscape
from api.training.session import Session


class AxisDocument(Document):
    """A direction: the element that changes, all others staying as they are."""

    element: str
    value: float | NonFinite
    """Where it is now."""
    slope: float | NonFinite
    """∂L/∂element there."""
    values: list[float]
    """Where the loss was worked out, evenly spaced."""


class PlaceDocument(Document):
    """A point of the curve or of the path; `y` is null where there is one axis, `step` where it is no step."""

    step: int | None
    x: float | NonFinite
    y: float | NonFinite | None
    loss: float | NonFinite


class LandscapeDocument(Document):
    """The loss along one element of the parameters, or over two of them."""

    rows: Literal["batch", "all"]
    """Whose loss it is: the present batch's, or that of all rows that train."""
    row_count: int
    x: AxisDocument
    y: AxisDocument | None
    loss: list[Any]
    """One number for each value of `x`; with `y` a list of such lists, one for each value of `y`."""
    current: PlaceDocument
    tangent: list[PlaceDocument] | None
    """The ends of the tangent at the present point: loss + slope · (x − value). Null for two axes."""
    path: list[PlaceDocument]
    """Where the current line has been, with the same rows' loss there; the other parameters were others then."""


def loss_landscape(
    session: Session, axes: Sequence[Axis], points: int, which: Which, walked: Sequence[Walked]
) -> dict[str, Any]:
    """The landscape of one or two axes."""
    found = landscape(session, axes, points, which, walked)
    here = _place(session.position.step, found.at, found.current)
    documents = [
        {"element": axis.element.label, "value": at, "slope": slope, "values": values}
        for axis, at, slope, values in zip(found.axes, found.at, found.slopes, found.values, strict=True)
    ]
    path = [
        _place(one.step, [axis.element.of(one.parameters) for axis in found.axes], loss) for one, loss in found.path
    ]
    return {
        "rows": which,
        "row_count": len(found.rows),
        "x": documents[0],
        "y": documents[1] if len(documents) > 1 else None,
        "loss": found.loss,
        "current": here,
        "tangent": _tangent(found) if len(documents) == 1 else None,
        "path": [*path, here],
    }


def _place(step: int | None, at: Sequence[float], loss: float) -> dict[str, Any]:
    return {"step": step, "x": at[0], "y": at[1] if len(at) > 1 else None, "loss": loss}


def _tangent(found: Landscape) -> list[dict[str, Any]]:
    (at,), (slope,), (values,) = found.at, found.slopes, found.values
    return [_place(None, [end], found.current + slope * (end - at)) for end in (values[0], values[-1])]
