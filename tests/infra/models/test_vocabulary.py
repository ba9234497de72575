"""Codes of texts, by hand; and the file of a vocabulary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.models.vocabulary import NO_TEXTS, RARE_TEXT, BadVocabulary, Vocabulary

WORDS = Vocabulary({"brand": ("own", "Käse"), "shop_id": ()})


def test_a_missing_text_a_rare_one_and_the_kept_ones_have_codes_of_their_own() -> None:
    codes = WORDS.codes("brand", ["Käse", None, "own", "never seen", ""])
    assert codes.tolist() == [3, 0, 2, 1, 1]
    assert codes.dtype == np.float32


@pytest.mark.parametrize("vocabulary", [WORDS, NO_TEXTS])
def test_without_texts_of_its_own_a_category_says_only_whether_there_is_one(vocabulary: Vocabulary) -> None:
    assert vocabulary.codes("shop_id", ["own", None]).tolist() == [1, 0]


def test_a_code_reads_as_its_text() -> None:
    assert [WORDS.text("brand", code) for code in (0.0, 1.0, 2.0, 3.0, 99.0)] == [
        None, RARE_TEXT, "own", "Käse", RARE_TEXT,
    ]  # fmt: skip


@given(st.dictionaries(st.text(max_size=3), st.lists(st.text(max_size=3), unique=True, max_size=5), max_size=3))
def test_a_vocabulary_is_read_as_it_was_written(texts: dict[str, list[str]]) -> None:
    found = Vocabulary.from_json(Vocabulary(texts).to_json())
    assert {feature: list(each) for feature, each in found.texts.items()} == texts
    for feature, each in texts.items():
        assert [found.text(feature, code) for code in found.codes(feature, each)] == each


@pytest.mark.parametrize(
    "text", ["", "[]", '{"brand": 3}', '{"brand": [1]}', '{"brand": ["a", "a"]}', '{"brand": null}']
)
def test_what_is_no_vocabulary_is_refused(text: str) -> None:
    with pytest.raises(BadVocabulary):
        Vocabulary.from_json(text)


@given(st.lists(st.sampled_from(["own", "Käse", "x", "y", None]), max_size=12), st.integers(0, 12), st.integers(0, 1))
def test_the_codes_of_a_growing_list_are_those_of_its_texts(texts: list[str | None], cut: int, other: int) -> None:
    vocabulary = Vocabulary(WORDS.texts)
    first = vocabulary.codes_of_list("brand", 7, texts[:cut])
    assert first.tolist() == vocabulary.codes("brand", texts[:cut]).tolist()
    # The same list, longer; or another one, whose first texts are others.
    again = texts if not other else texts[::-1]
    assert vocabulary.codes_of_list("brand", 7 + other, again).tolist() == vocabulary.codes("brand", again).tolist()


def test_each_text_of_a_list_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary, asked = Vocabulary(WORDS.texts), []
    codes = Vocabulary.codes
    monkeypatch.setattr(Vocabulary, "codes", lambda self, name, texts: asked.extend(texts) or codes(self, name, texts))
    for texts in (["own"], ["own", "x"], ["own", "x"]):
        vocabulary.codes_of_list("brand", 1, texts)
    assert asked == ["own", "x"]
