from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from infra.limits import MAX_FLOAT32, MAX_ITEMS
from serving.errors import MAX_DETAILS, InvalidRequest
from serving.score import score_schema
from serving.score.score_parser import parse, refuse_unknown_names


def body(**changes):
    return json.dumps({"user_id": "u", "session_id": "s", "items": [{"item_id": "a"}], **changes}).encode()


def with_value(text: str) -> bytes:
    return b'{"items":[{"item_id":"a"},{"item_id":"b","features":{"price":%s}}]}' % text.encode()


def locations(content: bytes) -> list[tuple[str | int, ...]]:
    with pytest.raises(InvalidRequest) as refused:
        parse(content)
    return [problem.location for problem in refused.value.problems]


def test_a_whole_request_is_read_as_it_was_sent():
    request = parse(body(context={"store_id": "330"}, items=[{"item_id": "b", "features": {"x": 1}}, {"item_id": "a"}]))
    assert request.item_ids == ["b", "a"]
    assert dict(request.sent)[0] == {"x": 1.0}
    assert request.context == {"store_id": "330"}


@pytest.mark.parametrize("changes", [{"user_id": None, "session_id": None}, {"context": {"store_id": None}}])
def test_null_stands_for_unknown(changes):
    assert parse(body(**changes))


def test_user_session_and_context_may_be_left_out():
    request = parse(b'{"items":[{"item_id":"a"}]}')
    assert (request.user_id, request.session_id, request.context) == (None, None, {})


@pytest.mark.parametrize(
    "text", ["1", "0", "-0.0", "1e-400", "null", "3.4028234663852886e38", "-3.4028234663852886e38"]
)
def test_finite_numbers_that_float32_holds_and_null_are_accepted(text):
    value = dict(parse(with_value(text)).sent)[1]["price"]
    assert value is None or abs(value) <= MAX_FLOAT32


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        "1e39",
        "3.41e38",
        "1" + "0" * 400,
        "true",
        "false",
        '"1"',
        "[1]",
    ],
)
def test_other_values_are_refused_by_name(text):
    assert locations(with_value(text)) == [("items", 1, "features", "price")]


@pytest.mark.parametrize(
    ("content", "location"),
    [
        (body(items=[]), ("items",)),
        (body(items=None), ("items",)),
        (body(items={"a": 1}), ("items",)),
        (b'{"user_id":"u"}', ("items",)),
        (body(items=[{"item_id": str(i)} for i in range(MAX_ITEMS + 1)]), ("items",)),
        (body(items=[{"item_id": "a"}, {"item_id": "b"}, {"item_id": "a"}]), ("items", 2, "item_id")),
        (body(items=[{"item_id": ""}]), ("items", 0, "item_id")),
        (body(items=[{"item_id": 7.5}]), ("items", 0, "item_id")),
        (body(items=[{"item_id": None}]), ("items", 0, "item_id")),
        (body(items=[{"item_id": "x" * 201}]), ("items", 0, "item_id")),
        (body(items=[{"item_id": "nul\0"}]), ("items", 0, "item_id")),
        (body(items=[{}]), ("items", 0, "item_id")),
        (body(items=["a"]), ("items", 0)),
        (body(items=[{"item_id": "a", "price": 1}]), ("items", 0, "price")),
        (body(items=[{"item_id": "a", "features": [1]}]), ("items", 0, "features")),
        (body(user_id=5.5), ("user_id",)),
        (body(user_id=""), ("user_id",)),
        (body(session_id=True), ("session_id",)),
        (body(session_id=["s"]), ("session_id",)),
        (body(context={"store_id": 33.5}), ("context", "store_id")),
        (body(context="store"), ("context",)),
        (body(colour="red"), ("colour",)),
        (b"[]", ()),
        (b"null", ()),
        (b'"text"', ()),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_body_of_another_form_is_refused_by_its_location(content, location):
    assert locations(content) == [location]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"items":[{"item_id":"a"}]} and more',
        b'{"items":[{"item_id":"\\ud800"}]}',
        b'{"items":[{"item_id":"\xff"}]}',
        b'{"items":[{"item_id":"\xed\xa0\x80"}]}',
        '{"items":[{"item_id":"a"}]}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"items":' * 50_000,
        with_value("9" * 5_000),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_body_that_is_not_json_is_refused_with_line_and_column(content):
    with pytest.raises(InvalidRequest) as refused:
        parse(content)
    (problem,) = refused.value.problems
    assert problem.location == ()
    assert "line 1 column" in problem.message


def test_the_largest_list_is_accepted():
    assert len(parse(body(items=[{"item_id": str(i)} for i in range(MAX_ITEMS)])).item_ids) == MAX_ITEMS


def test_every_repetition_is_named_with_the_first_location():
    with pytest.raises(InvalidRequest) as refused:
        parse(body(items=[{"item_id": name} for name in "abaca"]))
    assert [(p.location, p.message) for p in refused.value.problems] == [
        (("items", 2, "item_id"), "the same item as items.0"),
        (("items", 4, "item_id"), "the same item as items.0"),
    ]


def test_unknown_features_and_context_are_named():
    request = parse(
        body(context={"store_id": "1", "planet": "x"}, items=[{"item_id": "a", "features": {"price": 1, "shoe": 2}}])
    )
    with pytest.raises(InvalidRequest) as refused:
        refuse_unknown_names(request, {"price"}, {"store_id"})
    assert [problem.location for problem in refused.value.problems] == [
        ("context", "planet"),
        ("items", 0, "features", "shoe"),
    ]


def test_a_request_that_is_wrong_everywhere_is_counted_in_full():
    with pytest.raises(InvalidRequest) as refused:
        parse(body(items=[{}] * 30))
    assert len(refused.value.problems) == 30 > MAX_DETAILS
    assert str(refused.value).startswith("30 problems")


TEXTS = st.text(max_size=4) | st.sampled_from(["a", "price", "x" * 200, "x" * 201, "", "\0", "ü💚"])
NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.integers() | st.sampled_from([MAX_FLOAT32, 3.5e38, -0.0])
CELLS = st.none() | NUMBERS | st.booleans() | TEXTS
CANDIDATES = st.fixed_dictionaries(
    {"item_id": TEXTS}, optional={"features": st.dictionaries(TEXTS, CELLS, max_size=3) | st.none(), "price": CELLS}
)
BODIES = st.fixed_dictionaries(
    {"items": st.lists(CANDIDATES | CELLS, max_size=4)},
    optional={"user_id": CELLS, "session_id": CELLS, "context": st.dictionaries(TEXTS, CELLS, max_size=2) | CELLS},
)


def by_schema(content: bytes):
    """The body as the schema reads it; None where the schema refuses it."""
    try:
        return score_schema.ScoreRequest.model_validate_json(content)
    except ValidationError:
        return None


def assert_agrees_with_the_schema(content: bytes) -> None:
    expected = by_schema(content)
    if expected is None or len({each.item_id for each in expected.items}) < len(expected.items):
        with pytest.raises(InvalidRequest):
            parse(content)
        return
    found = parse(content)
    assert found.item_ids == [each.item_id for each in expected.items]
    assert repr(found.sent) == repr([(i, each.features) for i, each in enumerate(expected.items) if each.features])
    assert (found.user_id, found.session_id, found.context) == (expected.user_id, expected.session_id, expected.context)


@given(BODIES)
def test_the_parser_agrees_with_the_schema(values):
    assert_agrees_with_the_schema(json.dumps(values).encode())
    assert_agrees_with_the_schema(json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@given(BODIES, st.data())
def test_the_parser_agrees_with_the_schema_on_damaged_bodies(values, data):
    content = bytearray(json.dumps(values).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(content) - 1))
        content[position : position + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    assert_agrees_with_the_schema(bytes(content))


def test_integers_count_as_their_decimal_text_like_the_ids_of_a_log():
    sent = b'{"user_id":900,"session_id":0,"context":{"store_id":330},"items":[{"item_id":1095275},{"item_id":"b"}]}'
    request = parse(sent)
    assert (request.user_id, request.session_id, request.item_ids) == ("900", "0", ["1095275", "b"])
    assert request.context == {"store_id": "330"}
    assert request.positions == {"1095275": 0, "b": 1}


def test_the_schema_reads_integers_as_the_parser_does():
    found = score_schema.ScoreRequest.model_validate_json('{"user_id":900,"items":[{"item_id":-7}]}')
    assert (found.user_id, found.items[0].item_id) == ("900", "-7")


def test_an_item_is_the_same_as_text_and_as_integer():
    assert locations(b'{"items":[{"item_id":7},{"item_id":"7"}]}') == [("items", 1, "item_id")]


@pytest.mark.parametrize("value", ["34.0", "true", "[1]", "1e3"])
def test_what_is_neither_text_nor_an_integer_is_no_id(value):
    assert locations(b'{"items":[{"item_id":%s}]}' % value.encode()) == [("items", 0, "item_id")]
