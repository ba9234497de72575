"""Text files of columns: their header, their delimiter and their encoding.

Nothing about the rows is left to a guess of the reader: a guess may take the first rows for a preamble and drop them.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import shutil
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.files.mapping import FileFormat
from feature_repo.datasets.files.reading.sql_text import literal

DELIMITERS = (",", ";", "\t", "|", "::")
LINES = 50  # that are looked at for the delimiter
_NATIVE = {"utf-8": "utf-8", "utf-8-sig": "utf-8", "ascii": "utf-8", "iso8859-1": "latin-1", "utf-16": "utf-16"}


@dataclass(frozen=True)
class TextFile:
    """``rows``: SQL of its rows, all text. ``names``: of its columns; column0, column1, … where there is none."""

    rows: str
    names: tuple[str, ...]


class EmptyFile(BadSource):
    """Nothing is in the file, not even a header."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "the file is empty")


def open_text(path: Path, form: FileFormat, scratch: Path) -> TextFile:
    """Raises EmptyFile, and BadSource for another encoding."""
    encoding = _encoding(path, form)
    try:
        with _text(path, encoding) as file:
            lines = list(islice(file, LINES))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise _undecoded(path, encoding, error) from error
    if not "".join(lines).strip():
        raise EmptyFile(path)
    delimiter = form.delimiter or delimiter_of(lines)
    first = _fields(lines, delimiter)
    names = _distinct(first if form.header else [""] * len(first))
    native = _NATIVE.get(codecs.lookup(encoding).name)
    if native is None:
        path, native = _recoded(path, encoding, scratch), "utf-8"
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    rows = (
        f"read_csv({literal(str(path))}, auto_detect = false, header = {str(form.header).lower()}, "
        f"columns = {{{columns}}}, delim = {literal(delimiter)}, quote = '\"', escape = '\"', "
        f"encoding = '{native}', null_padding = false, strict_mode = true)"
    )
    return TextFile(rows, names)


def delimiter_of(lines: list[str]) -> str:
    """The one that cuts most lines into the same number of fields, and into the most fields of those."""

    def fit(delimiter: str) -> tuple[float, int]:
        counts = [len(_fields([line], delimiter)) for line in lines if line.strip()]
        usual = max(set(counts), key=counts.count)
        return (counts.count(usual) / len(counts) if usual > 1 else 0.0), usual

    return max(DELIMITERS, key=fit)


def _fields(lines: list[str], delimiter: str) -> list[str]:
    if len(delimiter) > 1:
        return lines[0].rstrip("\r\n").split(delimiter)
    return next(csv.reader(lines, delimiter=delimiter), [])


def _distinct(names: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for number, name in enumerate(names):
        name = name.strip().lstrip("\ufeff") or f"column{number}"
        found.append(name if name.lower() not in (each.lower() for each in found) else f"{name}_{number}")
    return tuple(found)


def _encoding(path: Path, form: FileFormat) -> str:
    try:
        return codecs.lookup(form.encoding).name
    except LookupError as error:
        raise BadSource(path, f"the encoding {form.encoding!r} is not known") from error


def _text(path: Path, encoding: str) -> TextIO:
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    if path.suffix.lower() == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding, newline="")
    return path.open(encoding=encoding, newline="")


def _recoded(path: Path, encoding: str, scratch: Path) -> Path:
    """A copy in UTF-8."""
    copy = scratch / f"{len(list(scratch.iterdir()))}-{path.name.removesuffix('.gz')}"
    try:
        with _text(path, encoding) as source, copy.open("w", encoding="utf-8", newline="") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise _undecoded(path, encoding, error) from error
    return copy


def _undecoded(path: Path, encoding: str, error: Exception) -> BadSource:
    if isinstance(error, UnicodeDecodeError):
        return BadSource(path, f"is not in {encoding}: {error.reason}; {ENCODING_REMEDY}")
    return BadSource(path, f"cannot be read: {getattr(error, 'strerror', None) or error}")


ENCODING_REMEDY = "name its encoding in the mapping, e.g. format: {encoding: cp1252}"


def unreadable_text(path: Path, message: str) -> BadSource:
    """What DuckDB said about a text file. It counts the header as line 1."""
    line = re.search(r"CSV Error on Line: (\d+)", message)
    named = re.search(r"^\s*file = (.+)$", message, re.MULTILINE)
    lines = [each.strip() for each in message.splitlines() if each.strip()]
    reason = lines[0]
    if line is not None:
        reason = next((text for text in lines[1:] if not text.startswith("Original Line")), reason)
    if "utf-8" in message:
        reason = f"the text is not in UTF-8; {ENCODING_REMEDY}"
    elif "Expected Number of Columns" in reason:
        reason = f"{reason}; a delimiter inside a value needs quotes, another delimiter stands in the mapping's format"
    return BadSource(Path(named.group(1)) if named else path, reason, row=int(line.group(1)) - 1 if line else None)
