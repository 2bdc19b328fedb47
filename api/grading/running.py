"""A student's program run over all cases: what its functions give, as sheets to be marked.

The program gets parameters and inputs, never the right numbers; only where one of its functions is missing or fails are
the next ones given the reference's numbers in place of its own, and then nothing that the program says is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.engine.kernels import Value
from api.grading.assignment import Assignment
from api.grading.cases import Case
from api.grading.compare import Malformed, flat
from api.grading.line import Line, Sheet
from api.grading.numbers import shape
from api.grading.quantities import names_of
from api.grading.sandbox import Limits, Program, Stopped
from api.grading.working import Working
from api.training.snapshot import listed

FUNCTIONS = {"forward": "values", "backward": "gradients", "update": "updated"}
"""A program's functions and the sections that they answer."""
FAILURES = 3
"""Ends of the program's process after which it is not started again."""


@dataclass(frozen=True, slots=True)
class Source:
    """A student's files by their names in one folder, and which of them is the program."""

    student: str
    main: str
    files: Mapping[str, bytes]
    fault: str = ""
    """Why there is no program to be run."""


@dataclass(slots=True)
class Run:
    """What came of running a program."""

    sheets: dict[tuple[int, int], Sheet] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    printed: str = ""


def run(assignment: Assignment, cases: Sequence[Case], source: Source, kind: str, limits: Limits) -> Run:
    """Run a program over all cases, starting it again where it has ended itself or had to be ended."""
    found = Run()
    if source.fault:
        found.notes.append(source.fault)
        return found
    failures, left = 0, list(cases)
    while left and failures < FAILURES:
        program = Program(kind, limits, source.files)
        try:
            with program:
                _load(program, source, found)
                while left:
                    _case(program, assignment, left[0], found)
                    left.pop(0)
        except Stopped as reason:
            failures += 1
            _note(found, str(reason))
            if left:
                _say(found, left.pop(0), assignment.steps, str(reason))
        found.printed = found.printed or program.printed
    for case in left:
        _say(found, case, assignment.steps, "the program was not started again")
    return found


def _load(program: Program, source: Source, found: Run) -> None:
    work = str(program.work)
    answer = program.ask({"do": "load", "folder": work, "file": source.main}, 3 * program.limits.seconds)
    if answer.get("raised"):
        place = f"cell {answer['raised']['cell']}" if "cell" in answer["raised"] else source.main
        _note(found, f"{place} raised {_told(answer['raised'])}")
    missing = [name for name in FUNCTIONS if name not in answer.get("functions", ())]
    if missing:
        _note(found, f"there is no function {', '.join(missing)}")


def _note(found: Run, text: str) -> None:
    if text not in found.notes:
        found.notes.append(text)


def _say(found: Run, case: Case, steps: int, reason: str) -> None:
    """Every section of a case that has no answer is missing for this reason."""
    for step in range(steps):
        sheet = found.sheets.get((case.number, step), Sheet())
        said = {section: reason for section in FUNCTIONS.values() if section not in sheet.answers}
        found.sheets[case.number, step] = Sheet(sheet.answers, sheet.state, {**said, **sheet.said})


def _case(program: Program, assignment: Assignment, case: Case, found: Run) -> None:
    """One case, step by step: each from the student's own numbers, as long as they can be gone on from."""
    line = Line(case.parameters, case.slots)
    own: Mapping[str, Any] | None = None
    kept = False
    for step in range(assignment.steps):
        right = Working(case.exercise(step, line.parameters, line.slots, line.past))
        parameters = {name: listed(value) for name, value in line.parameters.items()} if own is None else own
        asking = _Step(program, found, case, step, right, parameters, kept)
        after = asking.answered()
        line = line.after(right)
        own, kept = (after, True) if after is not None else (None, False)


@dataclass(slots=True)
class _Step:
    """One step of one case, with the reference's numbers for what the program lacks."""

    program: Program
    found: Run
    case: Case
    step: int
    right: Working
    parameters: Mapping[str, Any]
    keeps_state: bool
    answers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    helped: bool = False

    def answered(self) -> Mapping[str, Any] | None:
        """Ask the program for everything; the parameters to go on with, None where they cannot be gone on with."""
        exercise = self.right.exercise
        inputs = {name: listed(value) for name, value in exercise.inputs.items()}
        common = {"parameters": self.parameters, "inputs": inputs}
        self._ask("forward", common)
        values = {} if "values" in self.answers else {"values": self._reference("values")}
        self._ask("backward", {**common, **values})
        gradients = {} if "gradients" in self.answers else {"gradients": self._reference("gradients")}
        optimizer = {**exercise.definition.optimizer, **exercise.fields}
        state = None if self.keeps_state else {
            slot: {name: listed(value) for name, value in each.items()} for slot, each in exercise.slots.items()
        }  # fmt: skip
        request = {"parameters": self.parameters, "optimizer": optimizer, "state": state, **gradients}
        answer = self._ask("update", request)
        given = answer.get("state")
        self._keep(given if isinstance(given, Mapping) and given else None)
        after = self.answers.get("updated", {})
        whole = all(_fits(after.get(name), value) for name, value in exercise.parameters.items())
        return {name: after[name] for name in exercise.names} if whole else None

    def _keep(self, state: Mapping[str, Any] | None) -> None:
        self.found.sheets[self.case.number, self.step] = Sheet(dict(self.answers), state, dict(self.said))

    def _ask(self, name: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        section = FUNCTIONS[name]
        self.helped = self.helped or "values" in request or "gradients" in request
        self._keep(None)
        try:
            answer = self.program.ask({"do": name, **request})
        except Stopped as reason:
            self.said[section] = f"{name}: {reason}"
            self._keep(None)
            raise
        if answer.get("absent"):
            self.said[section] = f"there is no function {name}"
        elif answer.get("raised"):
            self.said[section] = f"{name} raised {_told(answer['raised'], quiet=self.helped)}"
        elif not isinstance(answer.get("value"), Mapping):
            self.said[section] = f"{name} gave no dict of numbers by name"
        else:
            known = names_of(self.right.exercise, section)
            self.answers[section] = {one: value for one, value in answer["value"].items() if one in known}
        return answer

    def _reference(self, section: str) -> dict[str, Any]:
        """The right numbers, for the function after one that is missing."""
        right, graph = self.right, self.right.exercise.graph
        if section == "gradients":
            return {name: listed(value) for name, value in right.gradients.items()}
        named = [node for node in graph.named if node.op]
        return {node.id: listed(right.values[node.index]) for node in named}


def _fits(given: Any, like: Value) -> bool:
    try:
        numbers = flat(given)
    except Malformed:
        return False
    finite = all(abs(one) < float("inf") for one in numbers.elements)
    return finite and (numbers.shape == shape(like) or (len(numbers.elements) == 1 and not shape(like)))


def _told(raised: Mapping[str, Any], *, quiet: bool = False) -> str:
    """An exception in words; ``quiet``: without its own."""
    message = f": {raised['message']}" if raised.get("message") and not quiet else ""
    line = f" (line {raised['line']})" if raised.get("line") else ""
    return f"{raised.get('type', 'an exception')}{message}{line}"
