"""The vocabulary of a model: which texts of each categorical feature have a code of their own.

    code  stands for
    0     a missing value
    1     a text that was too rare in training, or not there
    2 …   a text of the vocabulary, in its order

Codes are never negative and never NaN, which LightGBM treats in ways of their own. The file is JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat

import numpy as np

from infra.models.arrays import Floats

MISSING, RARE, FIRST = 0, 1, 2
RARE_TEXT = "rare or new"  # what people read for RARE


class BadVocabulary(ValueError):
    """The texts are no vocabulary."""


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """``texts``: categorical feature -> its texts, each once, in the order of their codes."""

    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for feature, texts in self.texts.items():
            if len(set(texts)) != len(texts) or not all(isinstance(text, str) for text in texts):
                raise BadVocabulary(f"the vocabulary of {feature!r} is not a list of different strings")

    def codes(self, feature: str, texts: Iterable[str | None]) -> Floats:
        """(n,) of n texts. A feature without texts of its own has the codes 0 and 1 only."""
        return np.fromiter(map(self._codes.get(feature, _NO_CODES).get, texts, repeat(RARE)), np.float32)

    def codes_of_list(self, feature: str, serial: int, texts: Sequence[str | None]) -> Floats:
        """(n,) codes of a list that only grows, and which ``serial`` identifies. Each text is looked up once."""
        of, known = self._of_lists.get(feature, (serial, _NOTHING))
        if of != serial:
            known = _NOTHING
        if len(known) < len(texts):
            known = np.concatenate([known, self.codes(feature, texts[len(known) :])])
            self._of_lists[feature] = (serial, known)
        return known

    def text(self, feature: str, code: float) -> str | None:
        """What a code stands for; None for a missing value."""
        number, texts = int(code), self.texts.get(feature, ())
        if number == MISSING:
            return None
        return texts[number - FIRST] if 0 <= number - FIRST < len(texts) else RARE_TEXT

    def only(self, features: Iterable[str]) -> Vocabulary:
        """Without the other features."""
        kept = set(features)
        return Vocabulary({feature: texts for feature, texts in self.texts.items() if feature in kept})

    def to_json(self) -> str:
        return json.dumps({feature: list(texts) for feature, texts in self.texts.items()}, indent=1, ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Vocabulary:
        """Raises BadVocabulary."""
        try:
            return Vocabulary({str(feature): tuple(texts) for feature, texts in json.loads(text).items()})
        except (AttributeError, TypeError, ValueError) as error:
            raise BadVocabulary(f"the vocabulary cannot be read: {error}") from error

    @cached_property
    def _codes(self) -> dict[str, dict[str | None, int]]:
        return {
            feature: {None: MISSING, **{text: code for code, text in enumerate(texts, FIRST)}}
            for feature, texts in self.texts.items()
        }

    @cached_property
    def _of_lists(self) -> dict[str, tuple[int, Floats]]:
        return {}


NO_TEXTS = Vocabulary()
_NO_CODES: dict[str | None, int] = {None: MISSING}
_NOTHING: Floats = np.empty(0, np.float32)
