"""Ids found many at once, held against a dictionary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.item_cache.id_index import ABSENT, SLOTS, IdIndex

IDS = [f"id{i}" for i in range(60)]
HASHES = {
    "python's": hash,
    "few bits, so that many ids share one": lambda each: int(each[2:]) % 7,
    "one bucket for all": lambda each: (int(each[2:]) + 1) << 40,
    "zero for some": lambda each: int(each[2:]) % 5 and hash(each),
    "negative": lambda each: -int(each[2:]) - 2,
}


def agrees(index: IdIndex, rows: dict[str, int], hash_of) -> None:
    """For all ids but unknown ones of a known id's hash, which with 64 bits there are none of."""
    known = {hash_of(each) for each in rows}
    asked = [each for each in IDS if each in rows or hash_of(each) not in known]
    assert index.find(asked).tolist() == [rows.get(each, ABSENT) for each in asked]


@pytest.mark.parametrize("hash_of", HASHES.values(), ids=HASHES)
@given(data=st.data())
def test_it_holds_what_a_dictionary_holds(hash_of, data):
    index, rows, owners = IdIndex(16, hash_of), {}, {}
    for each in data.draw(st.lists(st.sampled_from(IDS), max_size=80)):
        if each in rows:
            index.remove(each)
            del owners[rows.pop(each)]
        else:
            row = next(i for i in range(len(IDS)) if i not in owners)
            index.add(each, row, owners.__getitem__)
            rows[each], owners[row] = row, each
    agrees(index, rows, hash_of)
    made_at_once = IdIndex.of(rows, 16, hash_of)
    agrees(made_at_once, rows, hash_of)
    for each in list(rows):
        made_at_once.remove(each)
        del rows[each]
        agrees(made_at_once, rows, hash_of)


def test_most_ids_need_no_dictionary():
    rows = {f"item {i}": i for i in range(20_000)}
    assert IdIndex.of(rows, 20_000).spilled < 0.001 * len(rows)
    assert IdIndex.of(rows, 20_000).hashes.size <= 4 * SLOTS * 20_000 // 4


def test_nothing_is_found_in_an_empty_index():
    assert IdIndex(0).find(["a", "b"]).tolist() == [ABSENT, ABSENT]
    assert IdIndex.of({}, 10).find([]).dtype == np.int64
