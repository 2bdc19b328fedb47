"""Students' programs as they are handed in: a file, a folder, a notebook each."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from api.grading.running import FUNCTIONS, Source

SUFFIXES = (".py", ".ipynb")
LARGEST = 4 * 1024 * 1024
"""Bytes of one file, and of all files of a folder, that are read."""
_LEFT_OUT = ("__pycache__", ".ipynb_checkpoints", "__MACOSX", "node_modules")


def sources(paths: Iterable[Path], *, whole: bool = False) -> Iterator[Source]:
    """The program at each path: a file is a student's; so is a folder with one program in it and what that imports;
    of a folder with several programs, each file is a student's, and of one with folders each folder. ``whole``: each
    folder is one student's."""
    for path in paths:
        if path.is_dir() and whole:
            yield _of_student(path)
        elif path.is_dir():
            yield from _of_folder(path)
        else:
            yield _of_file(path)


def _of_folder(folder: Path) -> Iterator[Source]:
    files = sorted(one for one in folder.iterdir() if one.suffix in SUFFIXES and one.is_file())
    programs = [one for one in files if set(FUNCTIONS) & functions_in(one)]
    if len(programs) > 1:
        yield from map(_of_file, programs)
    elif programs or files:
        main = programs[0] if programs else files[0]
        yield _whole(folder, main)
    else:
        inner = sorted(one for one in folder.iterdir() if one.is_dir() and not _is_left_out(one))
        for one in inner:
            yield from _of_folder(one)
        if not inner:
            yield Source(folder.name, "", {}, f"{folder.name} holds no .py or .ipynb file")


def _of_student(folder: Path) -> Source:
    """The program anywhere in a folder: the file that defines most of the functions."""
    files = [one for one in sorted(folder.rglob("*")) if one.suffix in SUFFIXES and one.is_file()]
    files = [one for one in files if not any(map(_hidden, one.relative_to(folder).parts))]
    if not files:
        return Source(folder.name, "", {}, "there is no .py or .ipynb file")
    main = max(files, key=lambda one: len(set(FUNCTIONS) & functions_in(one)))
    return _whole(main.parent, main)


def _of_file(path: Path) -> Source:
    if path.suffix not in SUFFIXES:
        return Source(path.stem, "", {}, f"{path.name} is neither a .py nor an .ipynb file")
    if path.stat().st_size > LARGEST:
        return Source(path.stem, "", {}, f"{path.name} is larger than {LARGEST // 1024 // 1024} MiB")
    return Source(path.stem, path.name, {path.name: path.read_bytes()})


def _whole(folder: Path, main: Path) -> Source:
    """A folder's program with the files beside and below it, as many as are not too large."""
    files: dict[str, bytes] = {}
    left = LARGEST
    for path in sorted(folder.rglob("*"), key=lambda one: (one != main, one)):
        inside = path.relative_to(folder)
        if path.is_symlink() or not path.is_file() or any(map(_hidden, inside.parts)):
            continue
        size = path.stat().st_size
        if size <= left:
            left -= size
            files[str(inside)] = path.read_bytes()
    if main.name not in files:
        return Source(folder.name, "", {}, f"{main.name} is larger than {LARGEST // 1024 // 1024} MiB")
    return Source(folder.name, main.name, files)


def _hidden(part: str) -> bool:
    return part.startswith(".") or part in _LEFT_OUT


def _is_left_out(path: Path) -> bool:
    return _hidden(path.name)


def functions_in(path: Path) -> set[str]:
    """The functions that a file defines at its outermost level, read without running it."""
    if path.stat().st_size > LARGEST:
        return set()
    text = path.read_text("utf-8-sig", "replace")
    parts = [text]
    if path.suffix == ".ipynb":
        try:
            cells = [cell for cell in json.loads(text).get("cells", ()) if cell.get("cell_type") == "code"]
            parts = ["".join(cell.get("source", "")) for cell in cells]
        except (ValueError, AttributeError, TypeError, RecursionError):
            return set()
    found: set[str] = set()
    for part in parts:
        kept = "\n".join("" if line.lstrip()[:1] in "%!" else line for line in part.split("\n"))
        try:
            body = ast.parse(kept).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            found |= {name for name in FUNCTIONS if f"def {name}" in part}
            continue
        for node in body:
            if isinstance(node, ast.FunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.Assign):
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            elif isinstance(node, ast.ImportFrom):
                found |= {alias.asname or alias.name for alias in node.names}
    return found
