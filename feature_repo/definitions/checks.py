"""Whether views and derived families fit together; all problems are named at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from feature_repo.definitions.keys import IDS, unknown_keys
from feature_repo.definitions.repo import BadDefinitions
from feature_repo.definitions.view import SimilarColumn, View
from feature_repo.definitions.views import views
from feature_repo.derived.families import FAMILIES
from feature_repo.derived.family import Family
from feature_repo.model_features import model_features
from feature_repo.schema import Declaration, DType


def check(declaration: Declaration) -> None:
    """Raises BadDefinitions."""
    known = {view.name: view for view in views(declaration)}
    reads = [problem for family in FAMILIES for problem in _unknown_reads(family, known)]
    problems = [*_bad_similarities(known), *_taken_names(declaration), *_unknown_keys(declaration, known), *reads]
    if problems:
        raise BadDefinitions("\n".join(problems))


def _taken_names(declaration: Declaration) -> Iterator[str]:
    """A column that is an input as it is stands among both, under one name and source."""
    given = [(feature.source, feature.name) for feature in model_features(declaration)]
    stored = [(view.name, column.name) for view in views(declaration) for column in view.columns]
    sources: dict[str, list[str]] = {}
    for source, name in sorted([*given, *(each for each in stored if each not in given)]):
        sources.setdefault(name, []).append(source)
    for name, found in sources.items():
        if len(found) > 1:
            yield f"{name} is given by {' and by '.join(found)}: rename one of them"


def _unknown_keys(declaration: Declaration, known: Mapping[str, View]) -> Iterator[str]:
    texts = [
        column.name
        for view in known.values()
        if view.entity == "item"
        for column in view.columns
        if column.dtype is DType.STRING
    ]
    context = [column.name for column in declaration.context]
    for view in known.values():
        for name in unknown_keys(view, texts, context):
            yield (
                f"{view.name}: nothing is known by its key {name}; there are {', '.join(IDS)}, the items' "
                f"{', '.join(texts)}, and the context's {', '.join(context) or '(none)'}"
            )


def _bad_similarities(known: Mapping[str, View]) -> Iterator[str]:
    columns = {f"{view.name}:{column.name}": column for view in known.values() for column in view.columns}
    for name, column in columns.items():
        if not isinstance(column, SimilarColumn):
            continue
        kinds = ("overlap",) if column.dtype is DType.STRING_LIST else ("cosine", "dot")
        other = columns.get(column.similar_to)
        if column.dtype not in (DType.STRING_LIST, DType.FLOAT32_LIST) or column.similarity not in kinds:
            yield f"{name}: the similarity of this type is {' or '.join(kinds)}, not {column.similarity!r}"
        elif other is None or other.dtype is not column.dtype:
            yield f"{name}: it is compared with {column.similar_to}, which is no column of its type"


def _unknown_reads(family: Family, known: Mapping[str, View]) -> Iterator[str]:
    for reference in family.reads:
        view, _, column = reference.partition(":")
        if view not in known:
            yield f"{family.name}: it reads {view}, which is no view; there are {', '.join(known)}"
        elif column and column not in (names := [each.name for each in known[view].columns]):
            yield f"{family.name}: it reads {reference}, which is no column of {view}; it has {', '.join(names)}"
