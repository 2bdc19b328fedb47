"""Whole pages of HTML from documents: a session, a problem, the live page. No script in any of them.

Each function takes plain documents and gives a text; ``root`` is the path that the service is mounted under, ``""`` or
``"/x"``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.pages import charts, figures, notation, svg, views
from api.pages.layout import LARGEST
from api.pages.problems import KINDS

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(num=figures.number, values=figures.values, name=notation.html, plainname=notation.text)

_FRAMES = "<!--frames-->"


@dataclass(frozen=True, slots=True)
class SessionPage:
    """What a session's page is made from.

    ``state`` is the state document of the revision shown, ``equations`` its items with MathML, ``history`` the last
    finished steps, oldest first, ``losses`` (step, loss) pairs for the chart, ``data`` the data document (``columns``,
    ``rows``, perhaps ``labels``) or None, ``current_revision`` where the session itself stands.
    """

    state: dict[str, Any]
    equations: list[dict[str, Any]]
    history: list[dict[str, Any]]
    losses: Sequence[tuple[int, Any]]
    data: dict[str, Any] | None
    current_revision: int
    root: str


def session_page(page: SessionPage) -> str:
    """The page of one revision of a session, with its buttons if it is the current one and may be written."""
    state = page.state
    base = f"{page.root}/v1/sessions/{state['id']}"
    graph = state["graph"]
    return _render(
        "session.html",
        page.root,
        base=base,
        here=f"{base}/revisions/{state['revision']}",
        view="" if graph["detail"] == "named" else "?detail=ops",
        s=state,
        bar=views.bar(state, page.current_revision),
        equations=views.equations(state, page.equations),
        anchors=views.anchors(graph),
        inner=views.partials(state, page.equations, "inner"),
        outer=views.partials(state, page.equations, "data"),
        left_out=views.left_out(state, page.equations),
        heading=views.equations_heading(state),
        picture=views.trusted(svg.graph(state)),
        natural=views.natural_width(graph),
        too_large=len(graph["nodes"]) > LARGEST,
        key=views.key(graph),
        nodes=views.node_rows(graph)[:LARGEST],
        data=views.data_table(state, page.data),
        log=views.log_rows(page.history),
        chart=views.trusted(charts.loss(page.losses)) if page.losses else None,
        warnings=views.warnings(state),
        editable=views.editable(state),
    )


def problem_page(problem: dict[str, Any], root: str) -> str:
    """An RFC 9457 problem document as a page; the status is the caller's to set."""
    base = re.match(r"(.*?/v1/sessions/[A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])", problem.get("instance") or "")
    code = str(problem.get("type") or "").rpartition("/")[2]
    return _render(
        "problem.html",
        root,
        p={"errors": [], "allowed": [], "revision": None, "limit": None, **problem},
        code=code,
        kind=KINDS.get(code),
        base=base[1] if base and problem["status"] != 404 else None,
    )


def problem_type_page(code: str, root: str) -> str:
    """The page of ``/problems/CODE``: what this kind of problem is and what to do. KeyError for an unknown code."""
    return _render("problem_type.html", root, code=code, kind=KINDS[code])


def live_head(state: dict[str, Any], root: str) -> str:
    """The start of the page that stays open, up to where its frames go; buttons unless the id is read-only."""
    base = f"{root}/v1/sessions/{state['id']}"
    page = _render("live.html", root, base=base, s=state, writable=state["share"] is not None)
    return page.partition(_FRAMES)[0]


def live_frame(state: dict[str, Any], losses: Sequence[tuple[int, Any]], root: str) -> str:
    """One revision as a frame, to be sent in one piece: a complete frame covers those before it."""
    return _render(
        "frame.html", root, s=state, bar=views.bar(state, state["revision"]),
        picture=views.trusted(svg.graph(state, linked=False)),
        natural=views.natural_width(state["graph"]), warnings=views.warnings(state),
        chart=views.trusted(charts.loss(losses, mark=f"-{state['revision']}")) if losses else None,
    )  # fmt: skip


def live_tail(state: dict[str, Any], root: str) -> str:
    """The end of the live page, when it has shown as many frames as one page should hold: a link goes on."""
    base = f"{root}/v1/sessions/{state['id']}"
    return _render("live.html", root, base=base, s=state, writable=False).partition(_FRAMES)[2]


def _render(template: str, root: str, **context: Any) -> str:
    return _ENVIRONMENT.get_template(template).render(root=root, **context)
