"""Finds the files below a folder, and those of one kind: the same columns, and names that differ in a part only.

events_2024-01.csv, events_2024-02.csv  ->  events_*.csv
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path

from feature_repo.datasets.errors import BadSource, DatasetError
from feature_repo.datasets.files.reading.source_files import Kind, kind_of, suffix_of
from feature_repo.datasets.files.reading.text_files import EmptyFile
from feature_repo.init.words import action_of

PACKED = (".zip", ".zst", ".bz2", ".xz", ".7z", ".tar", ".rar", ".xlsx", ".xls", ".feather", ".arrow", ".orc", ".avro")
NOT_DATA = re.compile(r"(readme|license|licence|changelog|citation|_success|checksum)|\.(md|pdf|html?|crc)$", re.I)
DECLARATION = "dataset.json"
# Parts of names that tell files of one kind apart.
PARTS = re.compile(
    r"\d+|(?<![a-z])(train(ing)?|test|vali(d(ation)?)?|val|dev|prior|eval|part|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|"
    r"nov|dec)(?![a-z])"
)


@dataclass(frozen=True)
class SourceFile:
    """``name``: the path below the input, with ``/``."""

    path: Path
    name: str
    kind: Kind


@dataclass(frozen=True)
class Unreadable:
    """``matters``: it looks like data, so that leaving it out is for the user to decide."""

    name: str
    problem: str
    matters: bool = True


def find_files(source: Path) -> tuple[list[SourceFile], list[Unreadable]]:
    """Files below ``source``, or that file alone, in order of their names. Raises DatasetError where there are none."""
    if not source.exists():
        raise DatasetError(f"{source} does not exist: --input names a folder with your files, or one file")
    root, paths = (source.parent, [source]) if source.is_file() else (source, _below(source))
    found: list[SourceFile] = []
    unreadable: list[Unreadable] = []
    for path in paths:
        name = path.relative_to(root).as_posix()
        if NOT_DATA.search(path.name) or name == DECLARATION:
            continue
        judged = _kind(path, name)
        if isinstance(judged, Unreadable):
            unreadable.append(judged)
        else:
            found.append(SourceFile(path, name, judged))
    if not found:
        named = "".join(f"\n  {each.name}: {each.problem}" for each in unreadable)
        raise DatasetError(f"{source} holds no CSV, JSON lines or parquet file{named}")
    return found, unreadable


def _below(folder: Path) -> list[Path]:
    """All files but hidden ones and those in hidden folders."""
    found = []
    for top, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        found += [Path(top) / each for each in names if not each.startswith(".")]
    return sorted(found)


def _kind(path: Path, name: str) -> Kind | Unreadable:
    if path.suffix.lower() in PACKED:
        return Unreadable(name, f"{path.suffix.lower()} files are not read: unpack or convert it to CSV or parquet")
    try:
        kind = kind_of(path)
    except BadSource as error:
        return unreadable(name, path, error)
    return kind or Unreadable(name, f"is of an unknown kind ({suffix_of(path) or 'without a suffix'})", matters=False)


def unreadable(name: str, path: Path, error: BadSource) -> Unreadable:
    """An empty file tells nothing, and the adapter takes it so."""
    problem = str(error).removeprefix(str(path)).lstrip(":, ")
    return Unreadable(name, problem, matters=not isinstance(error, EmptyFile))


def group_names(names: Sequence[str], others: Iterable[str]) -> list[tuple[str, list[str]]]:
    """(pattern, names) of files with the same columns. A pattern matches none of the ``others``.

    A name that has no counterpart is its own pattern.
    """
    by_shape: dict[str, list[str]] = {}
    for name in names:
        by_shape.setdefault(name_shape(name), []).append(name)
    groups = list(by_shape.values())
    found: list[tuple[str, list[str]]] = []
    for group in groups:
        pattern = common_pattern(group)
        outside = [each for each in (*others, *names) if each not in group]
        if len(group) > 1 and (pattern is None or any(fnmatchcase(each, pattern) for each in outside)):
            found += [(escape(each), [each]) for each in group]
        else:
            found.append((pattern or escape(group[0]), group))
    return found


def name_shape(name: str) -> str:
    """The name with ``*`` for each part that may differ among files of one kind."""
    return re.sub(r"(\*[-_.]?)+", "*", PARTS.sub("*", name.lower()))


def common_pattern(names: Sequence[str]) -> str | None:
    """``a_1.csv``, ``a_2.csv`` -> ``a_*.csv``. None where the differing parts speak of different actions."""
    if len(names) == 1:
        return escape(names[0])
    head = _common_start(names)
    tail = _common_start([each[len(head) :][::-1] for each in names])[::-1]
    head, tail = _at_a_boundary(head, names), _at_a_boundary(tail[::-1], [each[::-1] for each in names])[::-1]
    middles = {each[len(head) : len(each) - len(tail)] for each in names}
    actions = {action_of(each) for each in middles}
    if len(actions) > 1 or any("/" in each for each in middles):
        return None
    return f"{escape(head)}*{escape(tail)}"


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    return first[: next((n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))]


def _at_a_boundary(head: str, names: Sequence[str]) -> str:
    """``head`` without the letters or digits that go on in one of the names: no part of a word or number is left."""
    for kind in ("[a-zA-Z]", "[0-9]"):
        goes_on = any(re.match(kind, each[len(head) :]) for each in names)
        if re.search(f"{kind}$", head) and goes_on:
            return re.sub(f"{kind}+$", "", head)
    return head
