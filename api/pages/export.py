"""A session's walk as a folder of files: pages with arrows, their states as JSON beside them, and an index.

The pages are those of the service, with other addresses: all in one folder, nothing in them leads out of it, fetches
anything or runs.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from api.documents.state import to_json
from api.engine.errors import InvalidInput
from api.pages import charts, figures, grids, mathml, notation, strips, views
from api.pages.formulas import MOST_EQUATIONS
from api.pages.html import Addresses, SessionPage, render, session_page
from api.pages.recipes import settings
from api.training.session import Phase
from api.training.walk import Place

# On a disk every file is its own origin, which 'self' does not match.
POLICY = "default-src 'none'; style-src 'self' file:; img-src 'self' file: data:; form-action 'none'; base-uri 'none'"
ROOT = "."
INDEX = "index.html"
_BESIDE = re.compile(r'(?:href|src)="\./([\w-]+\.(?:css|svg))"')
_TITLES = {"ready": "ready", "forward": "after forward", "backward": "after backward"}


@dataclass(frozen=True, slots=True)
class Overview:
    """What the index tells: ``page`` has the newest state, ``items`` are the log's lines, ``files`` other files by
    name."""

    page: SessionPage
    items: Sequence[dict[str, Any]]
    definition: dict[str, Any]
    files: Mapping[str, str | bytes]


@dataclass(slots=True)
class Export:
    """A folder that is being filled; ``places`` are the states that get a page, in order, ``client`` has the sheets.

    ``note`` says what is left out between the pages. Raises InvalidInput if the folder holds anything, OSError if it
    cannot be written. As a context it leaves nothing behind if it fails.
    """

    folder: Path
    client: Path
    places: Sequence[Place]
    note: str = ""
    _written: list[Path] = field(default_factory=list)
    _made: bool = False

    def __enter__(self) -> Export:
        if self.folder.exists() and not self.folder.is_dir():
            raise InvalidInput(f"{self.folder} is no folder")
        self._made = not self.folder.exists()
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            raise InvalidInput(f"the folder {self.folder} is not empty; give one that is, or a new one")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for path in self._written:
                path.unlink(missing_ok=True)
            if self._made:
                self.folder.rmdir()

    def add(self, number: int, page: SessionPage) -> None:
        """Write the page of ``places[number]``, and its state."""
        self._write(_file(self.places[number], "json"), to_json(page.state))
        # As many revisions as pages: what is behind the last one is not told.
        page = replace(page, root=ROOT, current_revision=page.state["revision"])
        self._page(_file(self.places[number], "html"), session_page(page, self._addresses(number), static=POLICY))

    def finish(self, overview: Overview) -> None:
        """Write the index, the other files, and the style sheets that the pages ask for."""
        for name, content in overview.files.items():
            self._write(name, content)
        page, state = overview.page, overview.page.state
        outputs = [f"values.{node['id']}" for node in state["graph"]["nodes"] if node["role"] == "model"]
        model = page.model or [item for item in page.equations if item["about"] in outputs]
        values = [(notation.html(name), value) for name, value in state["parameters"].items()]
        text = render(
            "export.html",
            ROOT,
            static=POLICY,
            s=state,
            note=self.note,
            first=_file(self.places[0], "html"),
            last=_file(self.places[-1], "html"),
            pages=len(self.places),
            model=[mathml.equation(item["symbolic"]) for item in model[:MOST_EQUATIONS]],
            numbers=[(name, figures.number(value)) for name, value in values if not grids.is_tensor(value)],
            tensors=[(name, grids.grid(value)) for name, value in values if grids.is_tensor(value)],
            chart=views.trusted(charts.loss(page.losses, page.validation)) if page.losses else None,
            strips=views.trusted(strips.course(page.course, standalone=False)) if page.course and page.losses else None,
            log=self._log(overview.items),
            settings=[row for row in settings(overview.definition, state) if row.name != "Parameters"],
            files=list(overview.files),
        )
        self._page(INDEX, text)

    def _log(self, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The log's lines that have a page, each with its link."""
        shown = {
            step: _file(Place(step, Phase.READY), "html") for step, phase in self.places if phase is Phase.BACKWARD
        }
        chosen = [item for item in items if item["step"] in shown]
        numbers = [figures.column(item[name] for item in chosen) for name in ("loss", "learning_rate", "gradient_norm")]
        return [
            {"href": shown[item["step"]], "loss": loss, "rate": rate, "norm": norm}
            | {name: item[name] for name in ("step", "epoch", "batch")}
            for item, loss, rate, norm in zip(chosen, *numbers, strict=True)
        ]

    def _page(self, name: str, text: str) -> None:
        self._write(name, text)
        for sheet in set(_BESIDE.findall(text)):
            if not (self.folder / sheet).exists() and (self.client / sheet).is_file():
                self._written.append(self.folder / sheet)
                shutil.copyfile(self.client / sheet, self.folder / sheet)

    def _write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        self._written.append(path)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def _addresses(self, number: int) -> Addresses:
        here, before, behind = (self._place(number + offset) for offset in (0, -1, 1))
        assert here is not None
        skips = behind is not None and behind.rank > here.rank + 1
        return Addresses(
            json=_file(here, "json"),
            previous=_file(before, "html") if before else "",
            before=_told(before) if before else "",
            following=_file(behind, "html") if behind else "",
            behind=_told(behind) if behind else "",
            leap=f"Update {behind.step}" if skips and behind else "",
            note=self.note,
        )

    def _place(self, number: int) -> Place | None:
        return self.places[number] if 0 <= number < len(self.places) else None


def _file(place: Place, kind: str) -> str:
    return f"step-{place.step}-{place.phase}.{kind}"


def _told(place: Place) -> str:
    return f"Update {place.step}, {_TITLES[place.phase]}"
