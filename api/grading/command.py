"""``stepgrad grade``: marks without a server.

    grade new FOLDER             a homework's folder: assignment, starter, what Gradescope and GitHub run
    grade rehearse FOLDER        what the reference, the empty starter and each mistake would get
    grade python PATH…           students' programs, run in a sandbox
    grade answers PATH…          worked answers: JSON, long or wide tables
    grade http URL               a student's own server

Exit status: 0 a report was written, whatever the marks; 2 wrong usage; 3 the grader's own fault, which never costs a
student marks.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from api.engine.errors import InvalidInput, StepgradError
from api.grading import new, rehearsal
from api.grading.assessing import told_faults
from api.grading.assignment import Assignment
from api.grading.collecting import sources
from api.grading.distinct import Chosen
from api.grading.formats import FORMATS, SINGLE
from api.grading.marks import graded
from api.grading.running import Source, run
from api.grading.sandbox import KINDS, Clock, Limits, NoSandbox, Sandbox, chosen
from api.grading.server import Server
from api.grading.server import run as drive
from api.grading.submissions import Form, Submission, of_json
from api.grading.tables import of_table

DONE, WRONG_USAGE, OWN_FAULT = 0, 2, 3
Document = dict[str, Any]
Check = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Checks an assignment's document for types; raises ``InvalidInput``."""


class Usage(Exception):
    """A command that cannot be carried out as it was given; ``str()`` says why."""


def main(arguments: Sequence[str] | None = None, check: Check | None = None) -> int:
    """Run a command; its exit status."""
    parser = build_parser()
    chosen_ = parser.parse_args(arguments)
    if chosen_.command is None:
        parser.print_help(sys.stderr)
        return WRONG_USAGE
    try:
        COMMANDS[chosen_.command](chosen_, check or dict)
    except Usage as reason:
        return _fail(str(reason), WRONG_USAGE)
    except NoSandbox as reason:
        return _fail(str(reason), OWN_FAULT)
    except BrokenPipeError:
        return DONE
    except Exception as error:
        traceback.print_exception(error, file=sys.stderr)
        return _fail(f"the grader itself has failed ({type(error).__name__}); no marks were given", OWN_FAULT)
    return DONE


def _fail(message: str, status: int) -> int:
    print(f"stepgrad grade: {message}", file=sys.stderr)  # noqa: T201 (the command's answer)
    return status


def build_parser() -> argparse.ArgumentParser:
    """The parser of all five commands."""
    parser = argparse.ArgumentParser(prog="stepgrad grade", description="Marks without a server.", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False)

    made = command("new", "write a homework's folder: assignment, starter, what Gradescope and GitHub run")
    made.add_argument("folder", type=Path)
    made.add_argument("--model", default="linear", metavar="NAME", help=f"one of {', '.join(new.models())} [linear]")
    made.add_argument("--title", metavar="TEXT")
    shown = command("rehearse", "show what the reference, the empty starter and each mistake would get")
    shown.add_argument("folder", type=Path, help="the homework's folder, or its assignment.json")
    shown.add_argument("--format", choices=tuple(rehearsal.FORMATS), default="text")
    _sandboxed(shown)
    for name, text, what in (
        ("python", "run and mark students' programs", "a file, a folder or a notebook for each student"),
        ("answers", "mark worked answers", "JSON, or a long or wide table"),
    ):
        one = command(name, text)
        one.add_argument("paths", nargs="+", type=Path, metavar="PATH", help=what)
        one.add_argument("--student", metavar="NAME", help="whose it is, where there is one")
        _reporting(one)
        if name == "python":
            one.add_argument("--one", action="store_true", help="a folder is one student's, whatever is in it")
            _sandboxed(one)
    served = command("http", "drive and mark a student's own server")
    served.add_argument("url", metavar="URL", help="where it listens, such as http://127.0.0.1:8000")
    served.add_argument("--student", metavar="NAME", default="student")
    served.add_argument("--seconds", type=float, default=10.0, help="how long one call may take [10]")
    _reporting(served)
    return parser


def _reporting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--assignment", type=Path, required=True, metavar="FILE", help="the assignment.json")
    parser.add_argument("--format", choices=tuple(FORMATS), default="text")
    parser.add_argument("--output", type=Path, metavar="PATH", help="where the report goes [the terminal]")


def _sandboxed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sandbox", choices=("auto", *KINDS), default="auto", help="the strongest that works [auto]")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long one call may take [10]")
    parser.add_argument(
        "--memory", type=float, default=2048, metavar="MIB", help="what a program may use, in MiB [2048]"
    )


def _limits(chosen_: argparse.Namespace) -> Limits:
    if not (0.1 <= chosen_.seconds <= 3600 and 64 <= chosen_.memory <= 1 << 20):
        raise Usage("--seconds is from 0.1 to 3600, --memory from 64 MiB")
    return Limits(chosen_.seconds, int(chosen_.memory * 1024 * 1024))


def _assignment(path: Path, check: Check) -> Assignment:
    path = path / "assignment.json" if path.is_dir() else path
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise Usage(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Usage(f"{path} is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise Usage(f"{path} holds no assignment, which is an object")
    try:
        return Assignment.of(check(document))
    except InvalidInput as error:
        raise Usage(f"{path}: " + "; ".join(f"{one.pointer} {one.detail}".strip() for one in error.errors)) from None
    except StepgradError as error:
        raise Usage(f"{path}: {error.detail}") from None


# the commands


def _new(chosen_: argparse.Namespace, check: Check) -> None:
    known = new.models()
    if chosen_.model not in known:
        raise Usage(f"there is no model {chosen_.model!r}; there are {', '.join(known)}")
    folder: Path = chosen_.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Usage(f"{folder} is there already; give the name of a new folder")
    title = chosen_.title or folder.resolve().name
    assignment = Assignment.of(check({"title": title, "session": known[chosen_.model]}))
    paths = new.written(folder, assignment)
    _print("\n".join([*map(str, paths), f"next: stepgrad grade rehearse {folder}"]) + "\n", None)


def _rehearse(chosen_: argparse.Namespace, check: Check) -> None:
    assignment = _assignment(chosen_.folder, check)
    folder = chosen_.folder if chosen_.folder.is_dir() else chosen_.folder.parent
    starter, limits = folder / "starter.py", _limits(chosen_)
    text = starter.read_bytes() if starter.is_file() else None
    sandbox = chosen(chosen_.sandbox, limits) if text is not None else Sandbox("none")
    lines = rehearsal.rehearsed(assignment, text, sandbox.kind, limits)
    _print(rehearsal.FORMATS[chosen_.format](assignment, lines), None)


def _python(chosen_: argparse.Namespace, check: Check) -> None:
    assignment, limits, clock = _assignment(chosen_.assignment, check), _limits(chosen_), Clock()
    for path in chosen_.paths:
        if not path.exists():
            raise Usage(f"there is no {path}")
    found = list(sources(chosen_.paths, whole=chosen_.one))
    found = _renamed(found, chosen_.student)
    _must_hold(chosen_, len(found))
    sandbox = chosen(chosen_.sandbox, limits)
    reports, chosen_cases = [], Chosen(assignment)
    for source in found:
        cases = chosen_cases.of(source.student)
        done = run(assignment, cases, source, sandbox.kind, limits)
        report = graded(assignment, cases, done.sheets, source.student, carried=True)
        reports.append({**report, "notes": done.notes, "printed": done.printed})
    _report(chosen_, assignment, reports, sandbox, clock)


def _renamed(found: list[Source], name: str | None) -> list[Source]:
    if name is None:
        return found
    if len(found) != 1:
        raise Usage(f"--student names one student, and there are {len(found)}")
    return [Source(name, found[0].main, found[0].files, found[0].fault)]


def _answers(chosen_: argparse.Namespace, check: Check) -> None:
    assignment, clock = _assignment(chosen_.assignment, check), Clock()
    cases = Chosen(assignment)
    reports = []
    for submission, notes in _submissions(chosen_, cases):
        student = str(submission.student)
        faults = told_faults(submission)
        sheets = {} if faults else submission.sheets
        report = graded(assignment, cases.of(student), sheets, student)
        reports.append({**report, "notes": [*notes, *faults]})
    _report(chosen_, assignment, reports, None, clock)


def _submissions(chosen_: argparse.Namespace, cases: Chosen) -> Iterator[tuple[Submission, list[str]]]:
    """Every student's submission in all paths; one that cannot be read is empty, with a note why."""
    steps = cases.assignment.steps
    for path in _files(chosen_.paths):
        named = chosen_.student or path.stem

        def form_of(student: str | None, named: str = named) -> Form:
            return Form(cases.of(student or named), steps)

        try:
            text = path.read_text("utf-8-sig")
            found = _parsed(path, text, form_of)
        except (OSError, UnicodeDecodeError):
            yield Submission(named), [f"{path.name} is not UTF-8 text"]
            continue
        except InvalidInput as error:
            yield Submission(named), [f"{path.name}: {error.detail}"]
            continue
        for submission in found:
            submission.student = submission.student or named
            yield submission, []


def _parsed(path: Path, text: str, form_of: Callable[[str | None], Form]) -> list[Submission]:
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        return of_table(text, form_of)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"this is no JSON: {error}") from None
    many = document if isinstance(document, list) else [document]
    names = [one.get("student") if isinstance(one, dict) else None for one in many]
    return [
        of_json(one, form_of(name if isinstance(name, str) else None)) for one, name in zip(many, names, strict=True)
    ]


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            inner = sorted(one for one in path.rglob("*") if one.suffix.lower() in (".json", ".csv", ".tsv"))
            if not inner:
                raise Usage(f"{path} holds no .json, .csv or .tsv file")
            yield from inner
        elif path.exists():
            yield path
        else:
            raise Usage(f"there is no {path}")


def _http(chosen_: argparse.Namespace, check: Check) -> None:
    assignment, clock = _assignment(chosen_.assignment, check), Clock()
    try:
        server = Server(chosen_.url, chosen_.seconds)
    except ValueError as reason:
        raise Usage(str(reason)) from None
    done, begun = drive(assignment, Chosen(assignment).of(chosen_.student, fresh=True), server)
    report = graded(assignment, begun, done.sheets, chosen_.student)
    right = report["correct"] and all(call["right"] for call in server.calls)
    reports = [{**report, "correct": right, "notes": done.notes, "calls": server.calls}]
    _report(chosen_, assignment, reports, None, clock)


# reports


def _report(
    chosen_: argparse.Namespace, assignment: Assignment, reports: list[Document], sandbox: Sandbox | None, clock: Clock
) -> None:
    about = {
        "sandbox": sandbox.document if sandbox else None,
        "sentence": sandbox.sentence if sandbox else "",
        "seconds": clock.seconds,
    }
    write, output = FORMATS[chosen_.format], chosen_.output
    _must_hold(chosen_, len(reports))
    if chosen_.format not in SINGLE or len(reports) == 1:
        _print(write(assignment, reports, about), output)
        return
    output.mkdir(parents=True, exist_ok=True)
    for report in reports:
        safe = "".join(sign if sign.isalnum() or sign in "-_.@" else "_" for sign in str(report["student"]))
        _print(write(assignment, [report], about), output / f"{safe}.json")


def _must_hold(chosen_: argparse.Namespace, students: int) -> None:
    """Raise unless the format can hold so many students, in files of their own if need be."""
    output: Path | None = chosen_.output
    if chosen_.format in SINGLE and students != 1 and (output is None or (output.exists() and not output.is_dir())):
        raise Usage(f"{chosen_.format} holds one student, and there are {students}: give --output FOLDER")


def _print(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        output.write_text(text, "utf-8")
    except OSError as error:
        raise Usage(f"{output} cannot be written: {error.strerror}") from None


COMMANDS = {"new": _new, "rehearse": _rehearse, "python": _python, "answers": _answers, "http": _http}
"""Each command's name and what it does."""
