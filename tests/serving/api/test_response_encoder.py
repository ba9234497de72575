"""The list that machine code writes against the one that msgspec does, and what is left to msgspec."""

import math
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import python_objects
from serving.api import response_encoder
from serving.api.response_encoder import ItemsCode, ItemsWriter, encoder, items_code
from serving.features.feast_reader import Missing
from serving.score.answers import ModelName, ScoreAnswer
from serving.score.ranking import Ranking
from serving.score.score_schema import MAX_TEXT_LENGTH

pytest.importorskip("llvmlite", reason="the extra `fast` is not installed")

PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=127, exclude_characters='"\\'), min_size=1, max_size=20)
SCORES = st.floats() | st.integers(-3, 3).map(float) | st.sampled_from([-0.0, 5e-324, -1.7976931348623157e308, 1e16])


@pytest.fixture(scope="module")
def writer() -> ItemsWriter:
    return ItemsWriter(ItemsCode())


def ranking(ids: list[str], scores: list[float] | None = None) -> Ranking:
    return Ranking(ids, np.array(range(len(ids)) if scores is None else scores, np.float64))


def expected(wanted: Ranking) -> object:
    return msgspec.json.decode(msgspec.json.encode(wanted.listed()))


def answer(wanted: Ranking) -> ScoreAnswer:
    return ScoreAnswer(
        "1f", "2018-01-01T00:00:00.000000Z", ModelName("m", "1", "lightgbm"), wanted, True, Missing(1, False, True)
    )


@given(st.dictionaries(PLAIN, SCORES, min_size=1, max_size=40))
def test_plain_ids_are_written_as_msgspec_writes_them(writer, items):
    wanted = ranking(list(items), list(items.values()))
    text = writer.write(wanted)
    assert text is not None
    assert repr(msgspec.json.decode(text)) == repr(expected(wanted))  # -0.0 is not 0.0
    assert text.startswith(b'[{"item_id":"')


@given(st.dictionaries(PLAIN | st.text(min_size=1, max_size=5), SCORES, max_size=10))
def test_an_answer_holds_its_list_whatever_the_ids(items):
    wanted = ranking(list(items), list(items.values()))
    found = msgspec.json.decode(encoder()(answer(wanted)))
    assert repr(found.pop("items")) == repr(expected(wanted))
    assert found == {
        "request_id": "1f",
        "scored_at": "2018-01-01T00:00:00.000000Z",
        "model": {"name": "m", "version": "1", "kind": "lightgbm"},
        "degraded": True,
        "missing": {"items": 1, "user": False, "session": True},
    }


class Name(str):
    pass


@pytest.mark.parametrize(
    "odd",
    ['"', "\\", "\n", "\x7f\x00", "\x1f", "é", "日本", "a\U0001f600", "x" * 300, "é" * 200, "", Name("b"), 7, None],
)
def test_an_id_that_json_has_otherwise_is_left_to_msgspec(writer, odd):
    assert writer.write(ranking(["a", "b"])) is not None
    for ids in ([odd], ["a", odd, "b"], [odd, "a"]):
        assert writer.write(ranking(ids)) is None


def test_what_is_no_list_or_not_as_long_as_its_scores_is_left_to_msgspec(writer):
    assert writer.write(ranking([])) is None
    assert writer.write(ranking(("a", "b"))) is None
    assert writer.write(ranking(["a"], [1.0, 2.0])) is None


def test_the_longest_list_of_the_longest_ids(writer):
    ids = [f"{i:0{MAX_TEXT_LENGTH}d}" for i in range(2_000)]
    wanted = ranking(ids, [-math.pi * 10.0 ** (-300 + i % 2) for i in range(2_000)])
    assert writer.write(ranking(["a"])) == b'[{"item_id":"a","score":0.0}]'
    assert msgspec.json.decode(writer.write(wanted)) == expected(wanted)


@pytest.mark.parametrize(("name", "other"), [("TEXT", 32), ("TEXT", 56), ("STATE", 16), ("LENGTH", 24)])
def test_nothing_is_compiled_where_strings_lie_otherwise(monkeypatch, name, other):
    monkeypatch.setattr(python_objects, name, other)
    with pytest.raises(RuntimeError, match="another way"):
        ItemsCode()


def test_without_machine_code_msgspec_writes_all():
    wanted = ranking(["a", "b"], [1.0, 2.0])
    with patch.object(response_encoder, "ItemsCode", side_effect=RuntimeError("none")):
        items_code.cache_clear()
        try:
            found = msgspec.json.decode(encoder()(answer(wanted)))
        finally:
            items_code.cache_clear()
    assert found["items"] == expected(wanted)
