"""How a text file is written: encoding, delimiter, header, sign of decimals. Decided by its bytes."""

from __future__ import annotations

import csv
import gzip
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from feature_repo.datasets.files.mapping import FileFormat
from feature_repo.init.thresholds import HEAD_BYTES, PROBE_BYTES, PROBES, SAME_FIELDS
from feature_repo.init.words import words

DELIMITERS = (",", "\t", ";", "|", "::")
LINES = 400
NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?$")
COMMA = re.compile(r"-?\d+,(\d{1,2}|\d{4,})$")  # three digits behind it may be thousands
WINDOWS = re.compile(rb"[\x80-\x9f]")  # of no sign in latin-1
DATE_LIKE = re.compile(r"\d{1,4}[-/.:]\d{1,2}")


@dataclass(frozen=True)
class TextFormat:
    """``doubt``: what is not sure, or "". ``columns``: names in the header; without one, as DuckDB names them."""

    format: FileFormat
    columns: tuple[str, ...]
    doubt: str = ""


class NotText(ValueError):
    """No table is in the file."""


def text_format(path: Path, given: FileFormat | None = None) -> TextFormat:
    """``given``: what the user says about it; the rest is found out. Raises NotText."""
    said = {name: getattr(given, name) for name in given.model_fields_set} if given is not None else {}
    encoding = said.get("encoding") or _encoding(path)
    try:
        rows, delimiter = _rows(_head(path).decode(encoding, errors="replace"), said.get("delimiter"))
    except LookupError as error:
        raise NotText(f"has a format with an encoding that is not known: {encoding!r}") from error
    if not rows:
        raise NotText("holds no lines")
    header, doubt = (said["header"], "") if "header" in said else _has_header(rows)
    columns = tuple(rows[0]) if header else tuple(f"column{n}" for n in range(len(rows[0])))
    if header and len(set(columns)) < len(columns):
        raise NotText(f"has two columns of the name {Counter(columns).most_common(1)[0][0]!r}: rename one")
    decimal = said.get("decimal") or ("," if delimiter != "," and _has_decimal_comma(rows[1:]) else ".")
    return TextFormat(
        FileFormat(delimiter=delimiter, encoding=encoding, header=header, decimal=decimal), columns, doubt
    )


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb"))


def _head(path: Path) -> bytes:
    """The first lines, all of them whole."""
    with _opened(path) as file:
        head = file.read(HEAD_BYTES)
    return head if len(head) < HEAD_BYTES else head[: head.rfind(b"\n") + 1] or head


def _encoding(path: Path) -> str:
    """utf-8, utf-16 by its mark, else latin-1, or cp1252 for signs that latin-1 lacks. Looks all over the file."""
    with _opened(path) as file:
        first = file.read(PROBE_BYTES)
        if first[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16"
        probes = [first]
        if path.suffix.lower() != ".gz":
            step = max(path.stat().st_size // PROBES, PROBE_BYTES)
            for place in range(step, path.stat().st_size, step):
                file.seek(place)
                probes.append(file.read(PROBE_BYTES))
        else:
            probes += [file.read(PROBE_BYTES) for _ in range(PROBES)]
    if all(_is_utf8(each) for each in probes):
        return "utf-8"
    return "cp1252" if any(WINDOWS.search(each) for each in probes) else "latin-1"


def _is_utf8(probe: bytes) -> bool:
    """A probe may begin and end inside a character of up to four bytes."""
    inner = probe.lstrip(bytes(range(0x80, 0xC0))) if probe[:3] != b"\xef\xbb\xbf" else probe
    try:
        inner.decode("utf-8")
    except UnicodeDecodeError as error:
        return (len(inner) - error.start < 4 and len(inner) == error.end) or error.reason == "unexpected end of data"
    return True


def _rows(text: str, given: str | None) -> tuple[list[list[str]], str | None]:
    """The first rows under the delimiter that gives most fields, the same number in all rows."""
    text = text.removeprefix("\ufeff")
    lines = [line for line in text.splitlines() if line.strip()][:LINES]
    best: tuple[int, list[list[str]], str | None] = (1, [[line] for line in lines], None)
    for delimiter in (given,) if given else DELIMITERS:
        rows = _split(lines, delimiter)
        width, many = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 0)
        if width > best[0] and many >= SAME_FIELDS * len(rows) and len(rows[0]) == width:
            best = (width, [row for row in rows if len(row) == width], delimiter)
    return best[1], best[2]


def _split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    if len(delimiter) > 1:
        return [line.split(delimiter) for line in lines]
    try:
        return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    except csv.Error:
        return []


def _has_header(rows: Sequence[Sequence[str]]) -> tuple[bool, str]:
    """(whether the first row names the columns, what speaks against it)."""
    first, rest = rows[0], rows[1:]
    if any(NUMBER.match(cell) or DATE_LIKE.match(cell) for cell in first) or (len(first) > 1 and not all(first[1:])):
        return False, ""
    typed = any(
        rest and sum(bool(NUMBER.match(row[n]) or DATE_LIKE.match(row[n])) for row in rest) > len(rest) / 2
        for n in range(len(first))
    )
    named = all(re.fullmatch(r"[A-Za-z_][\w .()/#%-]*", cell) for cell in first if cell)
    repeated = any(any(row[n] == cell for row in rest) for n, cell in enumerate(first))
    if not typed and len(set(first)) < len(first):
        return False, ""
    if typed or (named and not repeated):
        return True, ""
    doubt = f"the first row ({', '.join(first)[:80]}) may be the names of the columns or values"
    return any(words(cell) for cell in first), doubt


def _has_decimal_comma(rows: Sequence[Sequence[str]]) -> bool:
    for column in zip(*rows, strict=True):
        numbers = [cell for cell in column if NUMBER.match(cell)]
        with_comma = sum(bool(COMMA.match(cell)) for cell in numbers)
        if with_comma and not any("." in cell for cell in column) and 2 * with_comma > SAME_FIELDS * len(numbers):
            return True
    return False
