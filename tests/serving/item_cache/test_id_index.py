"""Many ids looked up at once, compared with a dictionary."""

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
    """For all ids except unknown ones with the hash of a known id. With 64 bits there are none."""
    known = {hash_of(each) for each in rows}
    ids = [each for each in IDS if each in rows or hash_of(each) not in known]
    assert index.find(ids).tolist() == [rows.get(each, ABSENT) for each in ids]


@pytest.mark.parametrize("hash_of", HASHES.values(), ids=HASHES)
@given(data=st.data())
def test_the_index_holds_what_a_dictionary_holds(hash_of, data):
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


def test_almost_every_id_finds_a_slot():
    rows = {f"item {i}": i for i in range(20_000)}
    assert IdIndex.of(rows, 20_000).spilled < 0.001 * len(rows)
    assert IdIndex.of(rows, 20_000).hashes.size <= SLOTS * 20_000


def test_nothing_is_found_in_an_empty_index():
    assert IdIndex(0).find(["a", "b"]).tolist() == [ABSENT, ABSENT]
    assert IdIndex.of({}, 10).find([]).dtype == np.int64
