"""One run of init: guess, merge with what the user edited, write, and say what is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from feature_repo.datasets.declarations.built_in import BUILT_IN
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.mapping import FileFormat, mapping_from
from feature_repo.init.guess.decisions import Guess, Question
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import view_of
from feature_repo.init.guess.whole import guessed
from feature_repo.init.reading.tables import Source, read_source
from feature_repo.init.writing import declaration
from feature_repo.init.writing.answers import Answers, places_of
from feature_repo.init.writing.fits import names_at, what_no_longer_fits
from feature_repo.init.writing.follow import moved, moves
from feature_repo.init.writing.merge import Changes, changes, users_own
from feature_repo.init.writing.splice import set_values, spliced, with_paths, with_section
from feature_repo.init.writing.tree import Place, entries, flat, is_open, named, reasons_of, tree_of
from feature_repo.init.writing.yaml_text import document
from feature_repo.init.written import Written, section_in, text_at

HEAD = """How the files of {name} become the log. Written by: python -m feature_repo.init {name} --input PATH
Edit it freely: a further run keeps your lines. docs/first-hour.md tells what each key means."""

BY_USER = "you say so"
OPEN = "# OPEN "


@dataclass(frozen=True)
class Outcome:
    """``open``: questions without an answer. ``problems``: what no longer fits. ``wrote``: whether a file changed."""

    source: Source
    views: Sequence[View]
    guess: Guess
    tree: Mapping[str, Any]
    reasons: Mapping[Place, str]
    changes: Changes | None
    open: Sequence[Question]
    problems: Sequence[str]
    wrote: bool


def initialise(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    path: Path,
    files: Written,
    answers: Answers,
    scratch: Path,
    *,
    force: bool,
) -> Outcome:
    """``scratch``: a folder for copies of files.

    Raises DatasetError where there is nothing to guess from, or where the user's file cannot be read.
    """
    text = text_at(files.params)
    mine = None if force else section_in(text, files.params)
    base = None if force else section_in(text_at(files.params_copy), files.params_copy)
    if mine is not None and mine.get("adapter") not in (None, "files"):
        raise DatasetError(
            f"{files.params}: log.adapter is {mine['adapter']}; --force replaces the section by a new one"
        )
    source, views, guess = _guess(connection, path, scratch, mine, base, answers)
    new = tree_of(guess, _written_path(path, files.params.parent.parent))
    reasons = reasons_of(guess)
    fresh = document(new, reasons, HEAD.format(name=name), _foot(guess))
    guess.unread |= {each for each, why in guess.ignored.items() if why == BY_USER}
    own = document(tree_of(guess, new["input"]), reasons, HEAD.format(name=name), _foot(guess))
    merged, made = fresh, None
    if mine is not None and text is not None:
        untouched = text == text_at(files.params_copy)
        widened, within = moves(mine, base, new, lambda path: names_at(path, views))
        mine, new, text = moved(mine, widened), moved(new, within), with_paths(text, widened)
        base = moved(base, widened | within) if base is not None else None
        made = changes(flat(base) if base is not None else None, flat(mine), flat(new))
        made.moved = widened
        bodies = dict(zip(entries(new["files"]), new["files"], strict=True))
        merged = fresh if untouched else spliced(text, made, bodies, reasons)
    elif text is not None:
        merged = with_section(text, fresh)
    told = places_of(answers, section_in(merged, files.params) or {})
    merged = set_values(merged, told) if told else merged
    if made is not None:
        made.answered = told
    tree = section_in(merged, files.params) or {}
    body = _declaration(guess, name, files, answers, tree, force=force)
    open_questions = [each for each in guess.questions if not _is_answered(each, tree)] + _open_in(tree, guess)
    problems = what_no_longer_fits(tree, views)
    merged = _without_answered(merged, [each.place for each in open_questions])
    wrote = files.write(merged, declaration.text_of(body[0]), (own, declaration.text_of(body[1])))
    if not open_questions and not problems:
        mapping_from(tree)
    return Outcome(source, views, guess, tree, reasons, made, open_questions, problems, wrote)


def _guess(
    connection: duckdb.DuckDBPyConnection, path: Path, scratch: Path, mine: Any, base: Any, answers: Answers
) -> tuple[Source, list[View], Guess]:
    own = users_own(flat(base) if base is not None else None, flat(mine)) if mine is not None else {}
    formats = {place[1][1]: _format(place[1][1], made) for place, made in own.items() if place[2:] == ("format",)}
    before = (base or {}).get("ignore") or []
    ignored = [each for each in own.get(("ignore",), ()) or () if each not in before]
    source = read_source(connection, path, scratch, formats | answers.formats, [*ignored, *answers.ignored])
    views = [view_of(connection, table) for table in source.tables]
    guess = guessed(Sampled(connection), source, views)
    guess.ignored |= dict.fromkeys([*ignored, *answers.ignored], BY_USER)
    return source, views, guess


def _format(path: str, made: Any) -> FileFormat:
    try:
        return FileFormat.model_validate(made)
    except ValueError as error:
        known = ", ".join(FileFormat.model_fields)
        raise DatasetError(f"log.files, {path}: the format {made!r} is wrong; it has {known}") from error


def _written_path(path: Path, project: Path) -> str:
    """Relative to the project's folder inside it, so that it may be moved; absolute elsewhere."""
    absolute, root = path.resolve(), project.resolve()
    return absolute.relative_to(root).as_posix() if absolute.is_relative_to(root) else str(absolute)


def _foot(guess: Guess) -> str:
    """What is left out, as comments at the end."""
    lines = [f"  {each.path}, {each.column}: {each.reason}" for each in guess.left_out]
    lines += [f"  {name}: {reason}" for name, reason in guess.ignored.items()]
    lines += [f"{OPEN[2:]}{each.place}: {each.problem}" for each in guess.questions]
    return "\n".join((["Left out:"] if lines else []) + [" ".join(line.splitlines()) for line in lines])


def _without_answered(text: str, asked: Sequence[str]) -> str:
    """Without the comments on questions that have an answer by now."""
    kept = tuple(f"{OPEN}{place}:" for place in asked)
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(OPEN) or line.startswith(kept))


def _declaration(
    guess: Guess, name: str, files: Written, answers: Answers, tree: Mapping[str, Any], *, force: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what is written, what init itself would write)."""
    new = declaration.declared(guess, name)
    text = None if force else text_at(files.declaration)
    mapped = {str(place[3]) for place in flat(tree) if place[2:3] == ("columns",)}
    mine = declaration.read(text, str(files.declaration)) if text is not None else new
    copy = text_at(files.declaration_copy)
    base = declaration.read(copy, str(files.declaration_copy)) if copy is not None else None
    return declaration.merged(base, mine, new, mapped) | answers.declared, new


def _is_answered(question: Question, tree: Mapping[str, Any]) -> bool:
    """Whether something stands at the place of the question, and nothing open."""
    if question.place == "ignore":
        return False  # a file that is left out is not read, and not asked about
    if question.place == "files":
        return any(each[0] in ("events", "impressions") for each in entries(tree.get("files")))
    table, *rest = question.place.split(".")
    found = [value for place, value in flat(tree).items() if named(place).split(".")[0].partition("[")[0] == table]
    if table in ("events", "items", "impressions") and rest:
        found = [
            value for place, value in flat(tree).items()
            if place[0] == "files" and place[1][0] == table and place[2:] == ("columns", rest[0])
        ]  # fmt: skip
        rest = rest[1:]
    for key in rest:
        found = [each[key] for each in found if isinstance(each, Mapping) and key in each]
    return bool(found) and not any(map(is_open, found))


def _open_in(tree: Mapping[str, Any], guess: Guess) -> list[Question]:
    """Marks that stand in the file and that the guess of this run no longer has."""
    asked = [each.place for each in guess.questions]
    return [
        Question(named(place), "still to be said", ("...",))
        for place, value in flat(tree).items()
        if is_open(value) and not any(each.startswith(named(place).partition("[")[0]) for each in asked)
    ]


def check_name(name: str) -> None:
    """Raises DatasetError for what cannot be the name of a data set of the user's own."""
    clean = "".join(each if each.isascii() and each.isalnum() else "_" for each in name.lower()).strip("_") or "my_shop"
    if name != clean or not name[:1].isalnum():
        raise DatasetError(
            f"a data set's name has lower-case letters, digits and underscores only: {clean}, not {name!r}"
        )
    if name in BUILT_IN:
        raise DatasetError(
            f"{name} is a built-in data set, and its source is log.input of params/{name}.yaml. For files of your own "
            f"choose another name, such as my_{name}"
        )
