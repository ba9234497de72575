"""What init found and what it will do, as a table to read in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from feature_repo.init.guess.decisions import Guess, Question
from feature_repo.init.guess.roles import View
from feature_repo.init.profile.column import Column, Kind
from feature_repo.init.reading.tables import Source
from feature_repo.init.writing.merge import Changes
from feature_repo.init.writing.tree import Place, entries, named
from feature_repo.init.writing.yaml_text import flow

WIDTH = 140
CELL = 44  # characters at most, of all columns but the last
EXAMPLES = 60  # characters


def found_page(source: Source, views: Sequence[View]) -> str:
    """The files and their columns."""
    lines = ["FOUND"]
    for view in views:
        many = f", {len(view.table.names)} files" if len(view.table.names) > 1 else ""
        sampled = ", a sample was read" if view.table.is_sampled else ""
        lines.append(f"  {view.pattern}: {view.table.rows:,} rows{many}{sampled}")
        told = [
            (each.name, _type(each), _share(each), _cut(", ".join(each.examples), EXAMPLES))
            for each in view.columns.values()
        ]
        lines += _table(told, indent=4)
    lines += [f"  {each.name}: {each.problem}" for each in source.unreadable]
    return "\n".join(lines)


def _type(column: Column) -> str:
    if column.kind is Kind.LIST and column.lists is not None:
        return f"list of {column.lists.length:.1f} by {column.lists.separator!r}"
    if column.times is not None and column.kind is Kind.TIME:
        return "time"
    return column.kind.value


def _share(column: Column) -> str:
    nulls = f", {column.nulls:.0%} empty" if column.nulls >= 0.005 else ""
    return f"{column.distinct:,} values{nulls}"


def meaning_page(tree: Mapping[str, Any], reasons: Mapping[Place, str], guess: Guess) -> str:
    """The mapping, with reasons, what is left out, and what to know."""
    lines = ["MEANING"]
    for entry, body in zip(entries(tree.get("files")), tree.get("files") or (), strict=True):
        joined = "".join(f" + {each['path']} by {flow(each['key'])}" for each in body.get("join") or ())
        where = f" where {flow(body['where'])}" if body.get("where") else ""
        lines.append(f"  {body['table']}  <-  {body['path']}{joined}{where}")
        told = [
            (name, _made(values), reasons.get(("files", entry, "columns", name), "yours"))
            for name, values in (body.get("columns") or {}).items()
        ]
        lines += _table(told, indent=4)
    top = [(name, flow(value), reasons.get((name,), "yours")) for name, value in tree.items() if name not in _NOT_TOLD]
    lines += _table(top, indent=2)
    if guess.left_out or guess.ignored:
        lines.append("LEFT OUT")
        lines += _table([(each.path, each.column, each.reason) for each in guess.left_out], indent=2)
        lines += _table([(name, "", reason) for name, reason in guess.ignored.items()], indent=2)
    if guess.notes:
        lines += ["TO KNOW", *(f"  {each}" for each in guess.notes)]
    return "\n".join(lines)


_NOT_TOLD = ("adapter", "input", "files", "ignore")


def _made(values: Any) -> str:
    """``customer, map: {...}`` in place of ``{from: customer, map: {...}}``."""
    if not isinstance(values, Mapping):
        return flow(values)
    rest = {key: each for key, each in values.items() if key != "from"}
    source = values.get("from")
    head = "" if source is None else source if isinstance(source, str) else flow(source)
    tail = ", ".join(f"{key}: {flow(each)}" for key, each in rest.items())
    return ", ".join(filter(None, (head, tail)))


def changes_page(changes: Changes | None, problems: Sequence[str]) -> str:
    """What a further run changed, what it kept, and what no longer fits."""
    changes = changes if changes is not None else Changes()
    lines = [f"  changed   {table}, path: {path} is {to} now" for (table, path), to in changes.moved.items()]
    for place, value in changes.added.items():
        lines.append(f"  added     {named(place)}" + ("" if value is None else f": {flow(value)}"))
    lines += [f"  changed   {named(place)}: {flow(value)}" for place, value in changes.replaced.items()]
    lines += [f"  answered  {named(place)}: {flow(value)}" for place, value in changes.answered.items()]
    lines += [f"  removed   {named(place)}: it is no longer in the files" for place in changes.removed]
    lines += [
        f"  kept      {named(place)}: {flow(mine)} is yours; the files suggest {flow(guess)}"
        for place, (mine, guess) in changes.kept.items()
    ]
    lines += [f"  NO LONGER FITS  {each}" for each in problems]
    return "\n".join(["CHANGES", *lines]) if lines else ""


def questions_page(questions: Sequence[Question], file: str) -> str:
    """All that is open, each with the line that settles it."""
    lines = [f"NOT SURE: {len(questions)} to answer, in {file} or by --set"]
    for each in questions:
        key = each.place.rpartition(".")[2]
        lines.append(f"  {each.place}")
        lines.append(f"      {each.problem}")
        lines += [
            f"      {'in the file:' if n == 0 else '         or:'} {key}: {answer}"
            for n, answer in enumerate(each.answers)
        ]
        if each.place != "files":
            lines.append(f"      or --set '{each.place}={_bare(each.answers[0])}'")
    return "\n".join(lines)


def _bare(answer: str) -> str:
    return answer.partition("  #")[0].strip('"')


def _table(rows: Sequence[tuple[str, ...]], indent: int) -> list[str]:
    """Aligned columns; the last one goes on below itself where it is too long."""
    if not rows:
        return []
    limits = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    widths = [min(limit, CELL) for limit in limits[:-1]]
    lines = []
    for row in rows:
        head = " " * indent + "".join(f"{_cut(cell, n):{n}}  " for cell, n in zip(row, widths, strict=False))
        parts = textwrap.wrap(row[-1], WIDTH - len(head)) or [""]
        lines += [f"{head}{parts[0]}".rstrip(), *(" " * len(head) + each for each in parts[1:])]
    return lines


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split()) if not text.startswith(" ") else text
    return text if len(text) <= width else text[: width - 3] + "..."
