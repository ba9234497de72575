"""Categories: the strings among the ranker's inputs. The matrix holds codes for them, which a model's vocabulary gives.

String columns of the views and the caller's context are categories. Which of their texts have a code of their own is
learned in training (:mod:`training.training_set.levels`); :mod:`infra.models.vocabulary` makes the codes, for training,
serving and the skew audit alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
import pyarrow as pa

from feature_repo.definitions.view import KEYED, Feature
from feature_repo.definitions.views import views
from feature_repo.schema import Declaration, DType
from feature_repo.slate import Floats, ItemRows, Slate, Texts
from infra.models.model_contract import CATEGORY
from infra.models.vocabulary import MISSING, Vocabulary

CONTEXT = "context"  # source of what the caller sends for a whole slate
SLATE = "slate"
PREFIX = "context_"


class Coder(Protocol):
    """Gives the codes: a model's vocabulary, or the numbering of a training set."""

    def codes(self, feature: str, texts: Iterable[str | None]) -> Floats: ...


class Numbering:
    """Numbers all texts of a training set, so that it can hold them as they are and depends on no model."""

    def __init__(self) -> None:
        self._texts: dict[str, Texts] = {}

    def codes(self, feature: str, texts: Iterable[str | None]) -> Floats:
        return self._texts.setdefault(feature, Texts()).numbers(texts).astype(np.float32)

    def column(self, feature: str, codes: Floats) -> pa.DictionaryArray:
        """The texts of (n,) codes."""
        texts = self._texts.setdefault(feature, Texts()).listed[1:]  # the first is null
        indices = pa.array(codes.astype(np.int32) - 1, mask=codes == MISSING)
        return pa.DictionaryArray.from_arrays(indices, pa.array(texts, pa.string()))


def category_features(declaration: Declaration) -> tuple[Feature, ...]:
    """In the order of the model's features: by view, then the context."""
    stored = tuple(
        Feature(column.name, view.name, column.description, column.unit, CATEGORY)
        for view in views(declaration)
        for column in view.columns
        if column.dtype is DType.STRING
    )
    sent = tuple(
        Feature(f"{PREFIX}{column.name}", CONTEXT, column.description, column.unit, CATEGORY)
        for column in declaration.context
    )
    return (*stored, *sent)


def category_entities(declaration: Declaration) -> dict[str, str]:
    """Feature -> whose texts they are: item, user, session, KEYED or slate."""
    entity_of = {view.name: view.entity for view in views(declaration)}
    return {each.name: entity_of.get(each.source, SLATE) for each in category_features(declaration)}


def category_codes(slate: Slate, entities: Mapping[str, str], coder: Coder) -> list[Floats | float]:
    """A column per feature: (n,) codes of the items' texts, or the one code of all candidates.

    ``entities``: see :func:`category_entities`.
    """
    return [_codes(slate, feature, entity, coder) for feature, entity in entities.items()]


def _codes(slate: Slate, feature: str, entity: str, coder: Coder) -> Floats | float:
    if entity == "item":
        items = slate.items
        if isinstance(items, ItemRows) and isinstance(coder, Vocabulary):
            numbers, texts = items.numbered(feature)
            return coder.codes_of_list(feature, texts.serial, texts.listed).take(numbers)
        return coder.codes(feature, items[feature].tolist())
    if entity == KEYED:
        return coder.codes(feature, slate.keyed[feature].tolist()) if feature in slate.keyed else float(MISSING)
    if entity == SLATE:
        value = slate.context.get(feature.removeprefix(PREFIX))
    else:
        value = (slate.user if entity == "user" else slate.session).get(feature)
    return float(coder.codes(feature, [value])[0])
