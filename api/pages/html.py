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

from api.pages import charts, figures, formulas, grids, notation, strips, svg, views
from api.pages.algorithm import algorithm
from api.pages.layout import LARGEST
from api.pages.problems import KINDS

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals["static"] = ""  # but for pages that are written to files
_ENVIRONMENT.filters.update(num=figures.number, values=figures.values, name=notation.html, plainname=notation.text)

_FRAMES = "<!--frames-->"
MOST_LIVE_EQUATIONS = 12
"""So many a frame shows: whoever watches has no time for more."""


@dataclass(frozen=True, slots=True)
class SessionPage:
    """What a session's page is made from.

    ``state`` is the state document of the revision shown, ``equations`` its items with MathML, ``history`` the last
    finished steps, oldest first, ``losses`` (step, loss) pairs for the chart, ``validation`` such of the validation
    rows, ``data`` the data document (``columns``, ``rows``, perhaps ``labels`` and each row's ``split``) or None,
    ``current_revision`` where the session itself stands, ``recipe`` the address from which everybody makes a session
    that stands here, None if that would be too long, ``model`` the formulas with the parameters' numbers in them, if
    they are few, ``course`` the course document if that is to be drawn.
    """

    state: dict[str, Any]
    equations: list[dict[str, Any]]
    history: list[dict[str, Any]]
    losses: Sequence[tuple[int, Any]]
    data: dict[str, Any] | None
    current_revision: int
    root: str
    validation: Sequence[tuple[int, Any]] = ()
    recipe: str | None = None
    model: Sequence[dict[str, Any]] = ()
    course: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a session's page leads; an empty address leaves its link out.

    ``before`` and ``behind`` say what lies in those directions, ``leap`` what the next button leads to if that is not
    the next phase, ``note`` what is left out between the pages.
    """

    json: str
    previous: str = ""
    before: str = ""
    following: str = ""
    behind: str = ""
    leap: str = ""
    newest: str = ""
    detail: str = ""
    equations: str = ""
    note: str = ""


def served(page: SessionPage) -> Addresses:
    """The addresses of the service: revisions before and behind, and the session as it is now."""
    state, base = page.state, f"{page.root}/v1/sessions/{page.state['id']}"
    revision, named = state["revision"], state["graph"]["detail"] == "named"
    here, view = f"{base}/revisions/{revision}", "" if named else "?detail=ops"
    past = revision < page.current_revision
    return Addresses(
        json=f"{here}.json",
        previous=f"{base}/revisions/{revision - 1}{view}" if revision else "",
        before=f"Revision {revision - 1}",
        following=f"{base}/revisions/{revision + 1}{view}" if past else "",
        behind=f"Revision {revision + 1}",
        newest=base,
        detail=here + ("?detail=ops" if named else ""),
        equations=f"{here}/equations",
    )


def session_page(page: SessionPage, at: Addresses | None = None, *, static: str = "") -> str:
    """The page of one revision of a session, with its buttons if it is the current one and may be written.

    ``at`` gives it other addresses than the service's; ``static`` is then the content policy that the page brings, and
    whatever needs the service is left out.
    """
    state = page.state
    base = f"{page.root}/v1/sessions/{state['id']}"
    graph = state["graph"]
    return render(
        "session.html",
        page.root,
        base=base,
        here=f"{base}/revisions/{state['revision']}",
        view="" if graph["detail"] == "named" else "?detail=ops",
        at=at or served(page),
        static=static,
        s=state,
        bar=views.bar(state, page.current_revision),
        equations=formulas.equations(state, page.equations),
        anchors=views.anchors(graph),
        inner=formulas.partials(state, page.equations, "inner"),
        outer=formulas.partials(state, page.equations, "data"),
        left_out=formulas.left_out(state, page.equations),
        heading=formulas.equations_heading(state),
        picture=views.trusted(svg.graph(state)),
        natural=views.natural_width(graph),
        too_large=len(graph["nodes"]) > LARGEST,
        key=views.key(graph),
        made_up=figures.made_up(state),
        nodes=views.node_rows(graph)[:LARGEST],
        tensors=grids.tensors(state)[: grids.LISTED],
        folded=max(0, len(grids.tensors(state)) - grids.LISTED),
        data=views.data_table(state, page.data),
        log=views.log_rows(page.history),
        chart=views.trusted(charts.loss(page.losses, page.validation)) if page.losses else None,
        warnings=views.warnings(state),
        editable=views.editable(state),
        recipe=page.recipe,
        strips=views.trusted(strips.course(page.course, standalone=False)) if page.course else None,
        algorithm=algorithm(state),
        model=formulas.model(state, page.model),
    )


def problem_page(problem: dict[str, Any], root: str, again: Sequence[tuple[str, str]] | None = None) -> str:
    """An RFC 9457 problem document as a page; the status is the caller's to set.

    ``again``: the fields of a form that would be accepted with the server's key, which the page then asks for.
    """
    base = re.match(r"(.*?/v1/sessions/[A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])", problem.get("instance") or "")
    code = str(problem.get("type") or "").rpartition("/")[2]
    return render(
        "problem.html",
        root,
        p={"errors": [], "allowed": [], "revision": None, "limit": None, **problem},
        code=code,
        kind=KINDS.get(code),
        base=base[1] if base and problem["status"] != 404 else None,
        again=again,
    )


def problem_type_page(code: str, root: str) -> str:
    """The page of ``/problems/CODE``: what this kind of problem is and what to do. KeyError for an unknown code."""
    return render("problem_type.html", root, code=code, kind=KINDS[code])


def live_head(state: dict[str, Any], root: str) -> str:
    """The start of the page that stays open, up to where its frames go; buttons unless the id is read-only."""
    base = f"{root}/v1/sessions/{state['id']}"
    page = render("live.html", root, base=base, s=state, writable=state["share"] is not None)
    return page.partition(_FRAMES)[0]


def live_frame(page: SessionPage, *, mark: str = "", ways: Sequence[tuple[str, str]] = ()) -> str:
    """One state as a frame, to be sent in one piece: a complete frame covers those before it.

    ``mark`` tells its ids from those of other frames; ``ways`` are links that lead on from here, by name.
    """
    state = page.state
    return render(
        "frame.html",
        page.root,
        s=state,
        bar=views.bar(state, page.current_revision),
        mark=mark,
        ways=ways,
        equations=formulas.equations(state, page.equations)[:MOST_LIVE_EQUATIONS],
        picture=views.trusted(svg.graph(state, linked=False, mark=mark)),
        natural=views.natural_width(state["graph"]),
        warnings=views.warnings(state),
        chart=views.trusted(charts.loss(page.losses, page.validation, mark=f"-{mark}")) if page.losses else None,
    )


def live_tail(state: dict[str, Any], root: str) -> str:
    """The end of the live page, when it has shown as many frames as one page should hold: a link goes on."""
    base = f"{root}/v1/sessions/{state['id']}"
    return render("live.html", root, base=base, s=state, writable=False).partition(_FRAMES)[2]


@dataclass(frozen=True, slots=True)
class Replay:
    """How stored states are shown one after the other: each ``every``-th step from ``step`` on, all its phases or only
    one ``phase``, ``pace`` states a second."""

    step: int
    every: int
    phase: str | None
    pace: float


def replay_head(state: dict[str, Any], replay: Replay, root: str) -> str:
    """The start of the page that replays a session; ``state`` is its newest."""
    return _replay(state, replay, root, None).partition(_FRAMES)[0]


def replay_tail(state: dict[str, Any], replay: Replay, root: str, further: str | None = None) -> str:
    """The end of that page: the line has been shown, or goes on at the address ``further``."""
    return _replay(state, replay, root, further).partition(_FRAMES)[2]


def _replay(state: dict[str, Any], replay: Replay, root: str, further: str | None) -> str:
    base = f"{root}/v1/sessions/{state['id']}"
    return render("replay.html", root, base=base, s=state, writable=False, r=replay, further=further)


def render(template: str, root: str, **context: Any) -> str:
    """A template filled in; every page links below ``root``."""
    return _ENVIRONMENT.get_template(template).render(root=root, **context)
