"""A caller's table of numbers, from CSV text or from rows: checked cell by cell, its columns given usable names."""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence

from api.engine.errors import FieldError, InvalidInput, LimitExceeded
from api.engine.ops import FUNCTIONS
from api.engine.wording import counted, shown
from api.training.limits import Limits

DELIMITERS = ",;\t"
FAULTS_LISTED = 10
LABEL_CHARACTERS = 100

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_THOUSANDS = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_SPELLED = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l"})

Record = tuple[int, list[str]]  # line number from 1, cells


def read_csv(text: str, limits: Limits, pointer: str) -> tuple[list[str], list[list[float]]]:
    """The labels of the header line and the rows of numbers below it.

    Raises ``InvalidInput`` with line and column for what cannot be read, ``LimitExceeded`` for too much of it.
    """
    text = text.removeprefix("\ufeff")
    delimiter = sniff(text)
    records = _records(text, delimiter, pointer)
    line, header = next(records, (1, []))
    if not header:
        raise InvalidInput("the CSV text is empty; it needs a header line and rows of numbers", pointer)
    labels = _header(line, header, pointer)
    check_size(0, len(labels), limits, pointer)
    body: list[Record] = []
    faults: list[FieldError] = []
    for line, cells in records:
        check_size(len(body) + 1, len(labels), limits, pointer)
        if len(cells) != len(labels):
            found = counted(len(cells), "field")
            faults.append(FieldError(pointer, f"line {line} has {found}, the header {len(labels)}"))
        body.append((line, cells))
        if len(faults) >= FAULTS_LISTED:
            break
    raise_all(faults)
    if not body:
        raise InvalidInput("the CSV text has a header line but no rows", pointer)
    return labels, _numbers(body, labels, delimiter, pointer)


def sniff(text: str) -> str:
    """The delimiter: comma, semicolon or tab, whichever splits the first line that is not blank into most fields; of
    equals the first in that order."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=lambda sign: len(re.sub(r'"[^"]*"', "", first).split(sign)))


def check_size(rows: int, columns: int, limits: Limits, pointer: str) -> None:
    """Raises ``LimitExceeded`` if a table of that size is larger than allowed."""
    for count, limit, what in ((columns, limits.columns, "columns"), (rows, limits.rows, "rows")):
        if count > limit:
            raise LimitExceeded(f"at most {limit} {what} are allowed", limit, pointer)


def raise_all(faults: Sequence[FieldError]) -> None:
    """Raises one ``InvalidInput`` that lists all faults, if there are any."""
    if faults:
        raise InvalidInput(faults[0].detail, errors=faults)


def identifiers(labels: Sequence[str]) -> tuple[str, ...]:
    """A unique ASCII name for each label, usable in a formula: ``House size`` → ``House_size``, ``x₁`` → ``x1``.

    A label that is such a name already keeps it; functions' names get a ``_`` behind them.
    """
    wished = [_identifier(label, place) for place, label in enumerate(labels, 1)]
    taken = {name for name, label in zip(wished, labels, strict=True) if name == label}
    names = []
    for name, label in zip(wished, labels, strict=True):
        unique, count = name, 1
        while unique != label and unique in taken:
            count += 1
            unique = f"{name}_{count}"
        taken.add(unique)
        names.append(unique)
    return tuple(names)


def check_labels(labels: Sequence[str], pointers: Sequence[str], where: str = "column") -> None:
    """Raises ``InvalidInput`` for a label that is empty, too long, not text, or there twice."""
    faults: list[FieldError] = []
    first: dict[str, int] = {}
    for place, (label, pointer) in enumerate(zip(labels, pointers, strict=True), 1):
        fault = ""
        if not label:
            fault = "has no name"
        elif len(label) > LABEL_CHARACTERS:
            fault = f"has a name of more than {LABEL_CHARACTERS} characters"
        elif any(unicodedata.category(sign) in ("Cc", "Cs") for sign in label):
            fault = "has a control character or half a surrogate pair in its name"
        elif label in first:
            fault = f"has the name of column {first[label]}, {shown(label)}"
        first.setdefault(label, place)
        if fault:
            faults.append(FieldError(pointer, f"{where} {place} {fault}"))
    raise_all(faults[:FAULTS_LISTED])


def _identifier(label: str, place: int) -> str:
    spelled = unicodedata.normalize("NFKD", label.translate(_SPELLED))
    plain = "".join(sign for sign in spelled if not unicodedata.combining(sign))
    name = re.sub(r"[^A-Za-z0-9_]+", "_", plain)
    if name != label:
        name = name.strip("_")
    if not name.strip("_"):
        return f"column_{place}"
    if name[0].isdigit():
        name = f"column_{name}"
    return f"{name}_" if name in FUNCTIONS else name


def _records(text: str, delimiter: str, pointer: str) -> Iterator[Record]:
    """Every record that is not blank, with the line on which it starts."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            if len(cells) > 1 or (cells and cells[0].strip()):
                yield start, [cell.strip() for cell in cells]
            start = reader.line_num + 1
    except csv.Error as error:
        reason = "a quoted field does not end" if "end of data" in str(error) else str(error)
        raise InvalidInput(f"line {start}: {reason}", pointer) from None


def _header(line: int, cells: list[str], pointer: str) -> list[str]:
    labels = [" ".join(cell.split()) for cell in cells]
    if all(_NUMBER.fullmatch(label) for label in labels):
        raise InvalidInput(f"line {line} holds only numbers; the first line must name the columns", pointer)
    if "" in labels[:1]:  # pandas writes its index under no name
        raise InvalidInput(f"line {line}, column 1 has no name; with pandas write to_csv(index=False)", pointer)
    check_labels(labels, [pointer] * len(labels), f"line {line}, column")
    return labels


def _numbers(body: list[Record], labels: list[str], delimiter: str, pointer: str) -> list[list[float]]:
    if delimiter != "," and _has_decimal_commas(body):
        body = [(line, [cell.replace(",", ".") for cell in cells]) for line, cells in body]
    rows: list[list[float]] = []
    faults: list[FieldError] = []
    for line, cells in body:
        rows.append([float(cell) if _NUMBER.fullmatch(cell) else math.nan for cell in cells])
        if not all(map(math.isfinite, rows[-1])):
            faults += [
                FieldError(pointer, f"line {line}, column {place} ({shown(labels[place - 1])}): {_bad_cell(cell)}")
                for place, (cell, value) in enumerate(zip(cells, rows[-1], strict=True), 1)
                if not math.isfinite(value)
            ]
        if len(faults) >= FAULTS_LISTED:
            break
    raise_all(faults[:FAULTS_LISTED])
    return rows


def _has_decimal_commas(body: list[Record]) -> bool:
    """Whether every comma of the table can only be a decimal comma: none is beside a point, and not all of them look
    like ``1,500``, which may be fifteen hundred or one and a half."""
    with_comma = [cell for _, cells in body for cell in cells if "," in cell]
    return (
        all(_DECIMAL_COMMA.fullmatch(cell) for cell in with_comma)
        and not all(_THOUSANDS.fullmatch(cell) for cell in with_comma)
        and not any("." in cell for _, cells in body for cell in cells)
    )


def _bad_cell(cell: str) -> str:
    if not cell:
        return "the cell is empty; fill it in, or leave the row out"
    if _NUMBER.fullmatch(cell):
        return f"{shown(cell)} is too large for a float64"
    if _DECIMAL_COMMA.fullmatch(cell):
        return f"{shown(cell)} may be a decimal comma or a thousands separator; write numbers with a decimal point"
    if cell.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return f"{shown(cell)} is not a finite number"
    return f"{shown(cell)} is not a number"
