import json

import pytest

from feature_repo.datasets.errors import DatasetError
from feature_repo.init.guess.decisions import Extra, Guess, Setting
from feature_repo.init.writing.declaration import declared, merged, read, text_of
from feature_repo.schema import Column, DType


def column(name, **others):
    return {"name": name, "dtype": "float32", "description": name, "nullable": True} | others


def of(*facts, **others):
    return {"title": "t", "timezone": "UTC", "facts": list(facts), "context": [], "item_extras": []} | others


def test_the_declaration_of_a_guess_has_all_that_the_reader_wants():
    guess = Guess(declared={"max_price": Setting(1e6, "why")})
    guess.extras = [Extra("facts", Column("promo", DType.FLOAT32, "1 if promoted", "flag", True, 0, 1), "is_promo")]
    body = declared(guess, "shop")
    assert body["facts"] == [
        {"name": "promo", "dtype": "float32", "description": "1 if promoted", "unit": "flag", "nullable": True}
        | {"minimum": 0, "maximum": 1}
    ]
    assert (body["timezone"], body["max_price"], body["price_required"]) == ("UTC", 1e6, False)
    assert json.loads(text_of(body)) == body


def test_words_of_the_user_stay_and_the_rest_follows_the_files():
    base, new = of(column("a"), column("b")), of(column("a", unit="m"), column("b", unit="m"), column("c"))
    mine = of(column("a", description="mine"), column("b"), title="My shop")
    found = merged(base, mine, new, {"a", "b", "c"})
    assert found["facts"] == [column("a", description="mine"), column("b", unit="m"), column("c")]
    assert found["title"] == "My shop"


def test_what_is_not_mapped_is_not_declared():
    assert merged(None, of(column("a"), column("b")), of(column("a"), column("b")), {"b"})["facts"] == [column("b")]


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_file_that_is_none_is_refused_with_its_path(text):
    with pytest.raises(DatasetError, match=r"params/x\.json"):
        read(text, "params/x.json")
