"""The best of scored triples, fast and in full; settings and arrays as files."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.candidates.source import Candidates, load_array, load_settings, save_arrays, save_settings

SCORES = st.sampled_from([-2.0, -0.0, 0.0, 0.5, 1.0, 1.0000001, 3e38, -1e-40, float("nan"), float("inf")])


def naive(triples, queries, k):
    found = []
    for query in range(queries):
        of_query = [(-float(np.float32(s)), item) for row, item, s in triples if row == query and np.isfinite(s)]
        found.append([(item, -score) for score, item in sorted(of_query)][:k])
    return found


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 3).flatmap(
        lambda q: st.tuples(
            st.just(q), st.dictionaries(st.tuples(st.integers(0, q - 1), st.integers(0, 40)), SCORES, max_size=60)
        )
    ),
    st.integers(1, 4),
)
def test_the_best_are_those_of_sorting_everything(asked, k):
    queries, scored = asked
    triples = [(row, item, score) for (row, item), score in scored.items()]
    rows, items, scores = (np.array([each[i] for each in triples]) for i in range(3))
    found = Candidates.best(rows.astype(np.int64), items.astype(np.int32), scores.astype(np.float64), queries, k)
    listed = [
        list(zip(found.items[part].tolist(), found.scores[part].tolist(), strict=True))
        for part in (found.lists.slice(row) for row in range(queries))
    ]
    assert listed == naive(triples, queries, k)


def test_parts_are_put_in_a_row():
    first = Candidates.best(np.array([1]), np.array([4], np.int32), np.array([2.0]), 2, 5)
    second = Candidates.best(np.array([0, 0]), np.array([7, 8], np.int32), np.array([1.0, 3.0]), 1, 5)
    found = Candidates.concatenated([first, second])
    assert found.lists.starts.tolist() == [0, 0, 1, 3]
    assert (found.items.tolist(), found.scores.tolist()) == ([4, 8, 7], [2.0, 3.0, 1.0])
    assert len(Candidates.concatenated([]).lists) == 0


def test_files_give_back_what_was_saved_and_no_pickle_is_read(tmp_path):
    save_settings(tmp_path, {"alpha": 0.1})
    save_arrays(tmp_path, {"codes": np.array([3, 1], np.int32)})
    assert load_settings(tmp_path) == {"alpha": 0.1}
    assert load_array(tmp_path, "codes").tolist() == [3, 1]
    np.save(tmp_path / "codes.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        load_array(tmp_path, "codes")
    with pytest.raises(ValueError, match="allow_pickle"):
        save_arrays(tmp_path, {"codes": np.array([{}], object)})
