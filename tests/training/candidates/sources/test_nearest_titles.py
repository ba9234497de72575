"""Neighbours by the cosine of title vectors, and vectors that are refused."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets.errors import DatasetError
from tests.feature_repo.candidates.sources.histories import asked
from tests.training.candidates.known import known_log
from training.candidates.sources import nearest_titles

PARAMS = {"neighbours": 3, "seed_items": 9, "seeds": {"history": 0.5}}


@pytest.fixture
def log(tmp_path):
    with known_log(tmp_path, [(1, "u", "view", each) for each in "abcde"]) as found:
        yield found


def write(log, vectors: dict[str, list[float] | None]) -> None:
    table = pa.table({"item_id": list(vectors), "vector": pa.array(list(vectors.values()), pa.list_(pa.float32()))})
    pq.write_table(table, log.log_dir / "item_vectors.parquet")


VECTORS = {"e": [0.0, 0.0], "b": [0.0, 2.0], "a": [3.0, 4.0], "unknown": [1.0, 1.0], "c": [1.0, 0.0], "d": [-1.0, 0.0]}


def test_neighbours_have_a_cosine_above_0(log):
    write(log, VECTORS)
    source = nearest_titles.fit(log, PARAMS)
    found = source.similar(log.codes.encode(["a", "b", "d", "e"]), 9)
    assert found.lists.starts.tolist() == [0, 2, 3, 3, 3]
    assert log.codes.decode(found.items) == ["b", "c", "a"]
    assert found.scores.tolist() == pytest.approx([0.8, 0.6, 0.8])


def test_only_the_items_with_the_most_events_have_neighbours(log):
    write(log, VECTORS)
    log.connection.execute("INSERT INTO known_events SELECT * FROM known_events WHERE code = 1")
    source = nearest_titles.fit(log, PARAMS | {"seed_items": 1})
    assert source.similar(log.codes.encode(["a", "b", "c"]), 9).lists.lengths.tolist() == [0, 1, 0]


def test_the_seeds_sum(log):
    write(log, VECTORS)
    orders = asked([("b", 1, 0, 0), ("c", 2, 0, 0), ("e", 1, 0, 0)], codes=log.codes)
    found = nearest_titles.fit(log, PARAMS).candidates(orders, 9)
    assert log.codes.decode(found.items) == ["a"]
    assert found.scores.tolist() == pytest.approx([0.5 * 0.8 + 0.5 * 2 * 0.6])


@pytest.mark.parametrize("bad", [[1.0], None, [1.0, None], [1.0, float("nan")]])
def test_bad_vectors_are_refused(log, bad):
    write(log, VECTORS | {"d": bad})
    with pytest.raises(DatasetError, match=r"item_vectors\.parquet: a v"):
        nearest_titles.fit(log, PARAMS)


def test_an_item_with_two_vectors_is_refused(log):
    table = pa.table({"item_id": ["a", "a"], "vector": pa.array([[1.0], [2.0]], pa.list_(pa.float32()))})
    pq.write_table(table, log.log_dir / "item_vectors.parquet")
    with pytest.raises(DatasetError, match="occurs twice"):
        nearest_titles.fit(log, PARAMS)


def test_without_vectors_of_known_items_there_is_no_source(log):
    assert nearest_titles.fit(log, PARAMS) is None
    write(log, {"unknown": [1.0, 2.0], "e": [0.0, 0.0]})
    assert nearest_titles.fit(log, PARAMS) is None
