"""The process in which a student's program runs: it loads the program, calls its functions, and sends back numbers.

Standard library only, since it is copied beside the program and run by itself: ``program.py REQUESTS ANSWERS``, two
file descriptors over which JSON goes line by line. The right numbers never come here.

    {"do": "confine", "limits": …, "readable": […], "inside": …, …}  → {"measures": […]}
    {"do": "load", "folder": …, "file": …}                            → {"functions": […], "arrays": bool, "raised"?: …}
    {"do": "forward" | "backward" | "update", …}                      → {"value": …} | {"absent": true} | {"raised": …}
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import sys
import traceback
import types
from typing import Any

NUMBERS = 2_000_000
"""Numbers that one answer may hold."""
DEPTH = 12
ARRAYS = ("numpy", "torch", "jax", "scipy")
"""A program that imports one of these is given arrays."""
FUNCTIONS = ("forward", "backward", "update")


class Student:
    """A loaded program, and what it made last."""

    def __init__(self) -> None:
        self.module = types.ModuleType("submission")
        self.file = ""
        self.arrays = False
        self.made: dict[str, Any] = {}

    def load(self, folder: str, file: str) -> dict[str, Any]:
        """Run the program's own text: a module, or a notebook's cells one after the other."""
        self.file = os.path.join(folder, file)
        sys.path.insert(0, folder)
        sys.modules["submission"] = self.module
        self.module.__dict__["__file__"] = self.file
        raised: dict[str, Any] | None = None
        with open(self.file, encoding="utf-8-sig", errors="replace") as opened:
            text = opened.read()
        for place, part in enumerate(_cells(text) if file.endswith(".ipynb") else [text], 1):
            try:
                exec(compile(part, self.file, "exec"), self.module.__dict__)  # noqa: S102 - what this process is for
            except BaseException as error:
                first = raised is None
                raised = raised or self.told(error)
                if first and file.endswith(".ipynb"):
                    raised["cell"] = place
                if not file.endswith(".ipynb"):
                    break
        there = [name for name in FUNCTIONS if callable(self.module.__dict__.get(name))]
        modules = (value for value in self.module.__dict__.values() if isinstance(value, types.ModuleType))
        self.arrays = any(module.__name__.partition(".")[0] in ARRAYS for module in modules)
        found: dict[str, Any] = {"functions": there, "arrays": self.arrays}
        return {**found, "raised": raised} if raised else found

    def call(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call one of the functions; with lists where arrays fail, and the other way round."""
        function = self.module.__dict__.get(name)
        if not callable(function):
            return {"absent": True}
        try:
            value = function(*self.arguments(name, request))
        except (TypeError, AttributeError, ValueError) as error:
            if name != "forward" and "forward" in self.made:
                return {"raised": self.told(error)}
            self.arrays = not self.arrays
            try:
                value = function(*self.arguments(name, request))
            except BaseException:
                self.arrays = not self.arrays
                return {"raised": self.told(error)}
        except BaseException as error:
            return {"raised": self.told(error)}
        self.made[name] = value
        return {"value": value}

    def arguments(self, name: str, request: dict[str, Any]) -> list[Any]:
        """What a function is called with, anew each time: nothing that it changes comes back another time."""
        given = {part: self.shaped(value) for part, value in request.items() if part != "do"}
        if name == "forward":
            return [given["parameters"], given["inputs"]]
        if name == "backward":
            values = given["values"] if "values" in given else self.made.get("forward")
            return [given["parameters"], given["inputs"], values]
        gradients = given["gradients"] if "gradients" in given else self.made.get("backward")
        state = given.get("state")
        if state is None:
            state = self.made.get("state", {})
        return [given["parameters"], gradients, request["optimizer"], state]

    def shaped(self, value: Any) -> Any:
        """Lists as arrays where the program works with them."""
        if isinstance(value, dict):
            return {name: self.shaped(one) for name, one in value.items()}
        if isinstance(value, list) and self.arrays:
            import numpy

            return numpy.array(value, dtype=float)
        return [self.shaped(one) for one in value] if isinstance(value, list) else value

    def told(self, error: BaseException) -> dict[str, Any]:
        """An exception in a line: its type, what it says, and where in the program."""
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == self.file]
        line = lines[-1] if lines else getattr(error, "lineno", None)
        try:
            message = str(error)
        except BaseException:
            message = ""
        return {"type": type(error).__name__[:80], "message": message[:300], "line": line}


def _cells(text: str) -> list[str]:
    """A notebook's code cells without what only a notebook understands."""
    cells = [cell for cell in json.loads(text).get("cells", []) if cell.get("cell_type") == "code"]
    sources = ("".join(cell["source"]) if isinstance(cell["source"], list) else str(cell["source"]) for cell in cells)
    return ["\n".join("" if line.lstrip()[:1] in "%!" else line for line in one.split("\n")) for one in sources]


class _Plain:
    """Whatever a program gives, as JSON can have it; what is no number becomes a short text."""

    def __init__(self) -> None:
        self.left = NUMBERS

    def of(self, value: Any, depth: int = 0) -> Any:
        """``value`` as numbers, lists and objects."""
        self.left -= 1
        if self.left < 0 or depth > DEPTH:
            return "too much to be an answer"
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return value if abs(value) < 2**1023 else "a number too large for a float64"
        if isinstance(value, float):
            if math.isfinite(value):
                return value
            return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        if isinstance(value, str):
            return value[:80]
        if isinstance(value, dict):
            return {str(name)[:100]: self.of(one, depth + 1) for name, one in list(value.items())[:10_000]}
        if isinstance(value, list | tuple):
            return [self.of(one, depth + 1) for one in value]
        return self.of(_unwrapped(value), depth + 1)


def _unwrapped(value: Any) -> Any:
    """An array, a tensor or a number of some library as Python's own."""
    for name in ("detach", "tolist"):
        if hasattr(value, name):
            value = getattr(value, name)()
    if hasattr(value, "__float__") and not isinstance(value, float):
        return float(value)
    return value if isinstance(value, bool | int | float | list | dict) else f"a {type(value).__name__}"


def _values(given: Any) -> Any:
    """What is sent back of a forward pass, a backward pass or an update."""
    try:
        return _Plain().of(given)
    except BaseException as error:
        return f"a {type(given).__name__} that cannot be read ({type(error).__name__})"[:200]


def _confine(request: dict[str, Any]) -> dict[str, Any]:
    there = os.path.join(os.path.dirname(os.path.abspath(__file__)), "confine.py")
    spec = importlib.util.spec_from_file_location("stepgrad_confine", there)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    options = {"inside": request["inside"], "without": request["without"]}
    return {"measures": module.confine(request["limits"], request["readable"], **options)}


def _answer(student: Student, request: dict[str, Any]) -> dict[str, Any]:
    do = request["do"]
    if do == "confine":
        return _confine(request)
    if do == "load":
        return student.load(request["folder"], request["file"])
    if do == "forward":
        student.made.pop("forward", None)
        student.made.pop("backward", None)
    found = student.call(do, request)
    if do == "update" and "value" in found:
        whole = found["value"]
        pair = isinstance(whole, tuple | list) and len(whole) == 2
        after, state = whole if pair else (whole, None)
        student.made["state"] = {} if state is None else state
        return {"value": _values(after), "state": _values(state)}
    return {"value": _values(found["value"])} if "value" in found else found


def main() -> None:
    """Answer requests until there are none."""
    requests, answers = (os.fdopen(int(number), mode) for number, mode in zip(sys.argv[1:3], ("r", "w"), strict=True))
    student = Student()
    for line in requests:
        try:
            found = _answer(student, json.loads(line))
        except MemoryError:
            found = {"raised": {"type": "MemoryError", "message": "", "line": None}}
        except RecursionError:
            found = {"raised": {"type": "RecursionError", "message": "", "line": None}}
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        answers.write(json.dumps(found) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
