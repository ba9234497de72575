"""Texts of a slate -> codes: of items however they are stored, of user, session and context."""

from __future__ import annotations

import numpy as np

from feature_repo.derived.categories import Numbering, category_codes, category_entities, category_features
from feature_repo.schema import Column, Declaration, DType
from feature_repo.slate import ItemRows, Row, Slate, Texts
from infra.models.vocabulary import Vocabulary

DECLARATION = Declaration(
    name="t",
    title="t",
    item_extras=(Column("cuisine", DType.STRING, "kind of food", nullable=True),),
    context=(Column("store_id", DType.STRING, "store"),),
)
WORDS = Vocabulary({"cuisine": ("thai", "greek"), "city": ("Athens",), "context_store_id": ("330",)})
TEXTS = ["greek", None, "new", "thai", "greek"]
IDS = ["a", "b", "c", "d", "e"]


def objects() -> Slate:
    return Slate(0, IDS, {"cuisine": np.array(TEXTS, object)})


def numbered(texts: Texts) -> Slate:
    numbers = texts.numbers(TEXTS)[:, None]
    empty = np.empty((len(TEXTS), 0))
    return Slate(0, IDS, ItemRows(empty.astype(np.float32), empty, numbers, [texts], {"cuisine": ("numbers", 0)}, []))


def test_strings_of_views_and_the_context_are_categories() -> None:
    found = {feature.name: feature.source for feature in category_features(DECLARATION)}
    assert found == {
        "category_id": "item_attributes",
        "brand": "item_attributes",
        "shop_id": "item_attributes",
        "cuisine": "item_attributes",
        "context_store_id": "context",
    }
    assert {feature.dtype for feature in category_features(DECLARATION)} == {"category"}
    assert category_entities(DECLARATION) == {name: "slate" if "context" in name else "item" for name in found}


def test_numbered_texts_have_the_codes_of_their_texts() -> None:
    texts = Texts()
    for slate in (objects(), numbered(texts), numbered(texts)):
        (codes,) = category_codes(slate, {"cuisine": "item"}, WORDS)
        assert codes.tolist() == [3, 0, 1, 2, 3]
    (codes,) = category_codes(numbered(Texts()), {"cuisine": "item"}, WORDS)  # numbers of another meaning
    assert codes.tolist() == [3, 0, 1, 2, 3]


def test_a_text_of_the_user_the_session_or_the_context_is_the_same_for_all_candidates() -> None:
    of = {"city": "user", "context_store_id": "slate"}
    known = Slate(0, IDS, {}, user=Row({"city": "Athens"}), context={"store_id": "331"})
    assert category_codes(known, of, WORDS) == [2.0, 1.0]
    assert category_codes(Slate(0, IDS, {}), of, WORDS) == [0.0, 0.0]
    session = Slate(0, IDS, {}, session=Row({"city": "Rome"}))
    assert category_codes(session, {"city": "session"}, WORDS) == [1.0]


def test_a_numbering_gives_every_text_back() -> None:
    numbering = Numbering()
    (codes,) = category_codes(objects(), {"cuisine": "item"}, numbering)
    assert numbering.column("cuisine", codes).to_pylist() == TEXTS
    assert numbering.column("unused", np.zeros(2, np.float32)).to_pylist() == [None, None]
