"""A record that is written to a file and read again is unchanged."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.live.score_records import SCHEMA, ScoreRecord, batch_of, read_records, score_files

# A NaN with a payload, a negative zero, the smallest number, …: only a comparison of bits distinguishes them.
BITS = np.array([0x7FC00001, 0x80000000, 0x00000001, 0x7F800000, 0x3F800000, 0xFFC00000], np.uint32)
FULL = ScoreRecord(
    request_id="r1",
    scored_us=1_700_000_000_123_457,
    clock="replay",
    item_ids=["a", "ü", "c"],
    scores=np.array([0.1, -np.inf, 2.5]),
    model_name="ranker-x",
    model_version="7",
    contract_hash="h",
    degraded=False,
    user_id="u",
    session_id=None,
    context={"store_id": "330", "page": None},
    read_us={"item_windows": np.array([5, 0, 7]), "session_state": np.array([2**53 + 1])},
    sent=[(2, {"price": 0.1, "views_1d": None})],
    matrix=BITS.view(np.float32).reshape(3, 2),
    kind="recommend",
    answered=["c", "a"],
    removed={"excluded": 0, "already_bought": 1},
    explored=[("c", 0.25)],
)
BARE = ScoreRecord("r2", 1, "wall", ["z"], np.zeros(1), "ranker-x", "7", "h", True)


def written_and_read(tmp_path, *records, **filters):
    pq.write_table(pa.Table.from_batches([batch_of(records, "w")], SCHEMA), tmp_path / "x.parquet")
    return list(read_records(tmp_path / "x.parquet", **filters))


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_is_read_bit_for_bit_whatever_its_order_in_memory(tmp_path, order):
    (found,) = written_and_read(tmp_path, replace(FULL, matrix=np.array(FULL.matrix, order=order)))
    assert found.matrix.shape == (3, 2)
    np.testing.assert_array_equal(np.ascontiguousarray(found.matrix).view(np.uint32).ravel(), BITS)


def test_all_other_fields_are_read_equal(tmp_path):
    found = written_and_read(tmp_path, FULL, BARE)
    for written, read in zip((FULL, BARE), found, strict=True):
        for name in ("request_id", "scored_us", "clock", "user_id", "session_id", "degraded", "item_ids", "context",
                     "model_name", "model_version", "contract_hash", "kind", "removed"):  # fmt: skip
            assert getattr(written, name) == getattr(read, name)
        assert [*written.answered] == [*read.answered]
        assert [*written.explored] == [*read.explored]
        np.testing.assert_array_equal(written.scores, read.scores)
        assert {view: times.tolist() for view, times in written.read_us.items()} == {
            view: times.tolist() for view, times in read.read_us.items()
        }
    assert found[0].sent == [(2, {"price": 0.1}), (2, {"views_1d": None})]  # one entry per value
    assert found[1].matrix is None
    assert found[1].sent == []


def test_a_file_of_a_release_without_recommendations_is_read(tmp_path):
    table = pa.Table.from_batches([batch_of([replace(BARE, request_id="old")], "w")], SCHEMA)
    pq.write_table(table.drop_columns(["kind", "answered", "removed", "explored"]), tmp_path / "x.parquet")
    (found,) = read_records(tmp_path / "x.parquet")
    assert (found.request_id, found.kind, found.explored, found.removed) == ("old", "score", [], {})


def test_records_are_read_from_a_given_time_on(tmp_path):
    assert [r.request_id for r in written_and_read(tmp_path, FULL, BARE, since_us=FULL.scored_us)] == ["r1"]
    assert written_and_read(tmp_path, FULL, BARE, since_us=FULL.scored_us + 1) == []


def test_records_without_a_matrix_can_be_left_out(tmp_path):
    assert [r.request_id for r in written_and_read(tmp_path, BARE, FULL, only_matrices=True)] == ["r1"]


def test_every_row_names_the_worker():
    assert batch_of([FULL, BARE], "12-ab")["worker"].to_pylist() == ["12-ab", "12-ab"]


def test_partial_files_are_not_listed(tmp_path):
    folder = tmp_path / "scores" / "day=2024-03-01"
    folder.mkdir(parents=True)
    (folder / ".w-000000.parquet.part").touch()
    pq.write_table(pa.Table.from_batches([batch_of([BARE], "w")], SCHEMA), folder / "w-000001.parquet")
    assert score_files(tmp_path) == [folder / "w-000001.parquet"]
