"""The machine code against the index and numpy, and what it leaves to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import python_objects
from serving.item_cache.id_index import IdIndex
from serving.item_cache.item_block import ALWAYS, bounds_of
from serving.native_lookup import NativeLookup, lookup_code
from tests.serving.item_cache.test_item_cache import COLUMNS, Store

pytest.importorskip("llvmlite", reason="the extra `fast` is not installed")

IDS = st.text(max_size=6)
MOMENTS = st.sampled_from([0, 1, 5, ALWAYS])


def hashed(ids: list[str]) -> list[str]:
    """As they are once the request is read."""
    dict.fromkeys(ids)
    return ids


def made_of(kept: dict[str, tuple[int, int]]) -> tuple[NativeLookup, IdIndex, np.ndarray]:
    """``kept``: id -> the bounds of its row."""
    block = np.frombuffer(np.random.default_rng(7).bytes(COLUMNS.row.itemsize * 2 * len(kept)), COLUMNS.row).copy()
    rows = {each: 2 * i + 1 for i, each in enumerate(kept)}
    for each, bounds in kept.items():
        block["valid_us"][rows[each]] = bounds
    code, index = lookup_code(COLUMNS.row), IdIndex.of(rows, len(rows))
    assert code is not None
    return NativeLookup(code, index, block), index, block


@given(
    kept=st.dictionaries(IDS, st.tuples(MOMENTS, MOMENTS), max_size=40),
    others=st.lists(IDS, max_size=2),
    data=st.data(),
)
def test_it_finds_and_copies_what_the_index_and_numpy_do(kept, others, data):
    lookup, index, block = made_of(kept)
    for _ in range(2):  # a shorter slate than the one before, and a longer
        ids = hashed(data.draw(st.lists(st.sampled_from([*kept, *others]), max_size=60)) if kept or others else [])
        rows, taken = index.find(ids), lookup.take(ids)
        is_spilled = any(each in index._spilled for each in ids)
        if (rows < 0).any() or is_spilled:
            assert taken is None
            continue
        assert taken is not None
        assert taken.rows.tolist() == rows.tolist()
        assert taken.copy.tobytes() == block.take(rows).tobytes()
        assert taken.bounds == bounds_of(block.take(rows))


def test_a_large_slate_of_a_large_catalog():
    ids = [f"item{i}" for i in range(20_000)]
    lookup, index, block = made_of(dict.fromkeys(ids, (1, 5)))
    asked = [each for each in np.random.default_rng(3).permutation(ids).tolist() if each not in index._spilled][:2_000]
    taken = lookup.take(hashed(asked))
    assert taken is not None
    assert taken.copy.tobytes() == block.take(index.find(asked)).tobytes()


class Name(str):
    """Has a hash of its own."""

    def __hash__(self) -> int:
        return 7


@pytest.mark.parametrize(
    "ids",
    [("a", "b"), ["a", "".join(["b"] * 3)], ["a", Name("b")], ["a", 7], ["a", None], ["a", "c"]],
    ids=["no list", "not hashed yet", "no plain string", "a number", "nothing", "unknown"],
)
def test_what_it_cannot_read_or_does_not_find_is_left_to_the_index(ids):
    lookup, _, _ = made_of({"a": (1, 5), "b": (1, 5), "bbb": (1, 5)})
    assert lookup.take(["a", "b"]) is not None
    assert lookup.take(ids) is None


def test_what_is_removed_is_not_found_and_what_comes_is():
    lookup, index, _ = made_of({"a": (1, 5), "b": (1, 5)})
    index.remove("a")
    assert lookup.take(["b", "a"]) is None
    index.add("c", 0, str)
    taken = lookup.take(hashed(["c", "b"]))
    assert taken is not None
    assert taken.rows.tolist() == [0, 3]


def test_a_cache_finds_what_it_keeps_by_it():
    """Otherwise what is shown of the cache in test_item_cache would be shown of numpy alone."""
    store = Store(a=1, b=2)
    store.read("a", "b", "z")
    lookup = store.cache._lookup
    assert lookup is not None
    assert lookup.take(["z", "b", "a"]) is not None


@pytest.mark.parametrize(
    ("name", "other"), [("TYPE", 16), ("HASH", 16), ("LENGTH", 24), ("ITEMS", 0), ("ITEMS", 8), ("ITEMS", 32)]
)
def test_nothing_is_compiled_where_strings_or_lists_lie_otherwise(monkeypatch, name, other):
    monkeypatch.setattr(python_objects, name, other)
    lookup_code.cache_clear()
    try:
        assert lookup_code(COLUMNS.row) is None
    finally:
        lookup_code.cache_clear()
