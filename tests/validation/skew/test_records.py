"""The logged requests that are compared, and the rows from which they are rebuilt."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.live.score_records import SCHEMA, ScoreRecord, batch_of
from feature_repo.schema import Column, Declaration, DType
from validation.skew import records
from validation.skew.errors import BrokenRecords
from validation.skew.records import ServedSlates, entity_rows

DECLARATION = Declaration(
    name="tiny",
    title="",
    facts=(Column("is_recommended", DType.FLOAT32, "", nullable=True),),
    context=(Column("store_id", DType.STRING, "", nullable=True),),
)
ONE = ScoreRecord(
    "r1", 1_700_000_000_000_001, "wall", ["a", "b"], np.zeros(2), "m", "1", "mine", False, "u", None,
    context={"store_id": "7"}, sent=[(1, {"is_recommended": 1.0}), (0, {"price": 3.0})],
    matrix=np.zeros((2, 4), np.float32),
)  # fmt: skip


def served(tmp_path, *logged, since_us=None, width=4):
    folder = tmp_path / "scores" / "day=2023-11-14"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_batches([batch_of(logged, "w")], SCHEMA), folder / "w-000000.parquet")
    return ServedSlates(tmp_path, since_us, lambda record: width if record.contract_hash == "mine" else None)


def ids(found):
    return [[record.request_id for record in batch] for batch in found.batches()]


def test_requests_without_a_matrix_or_with_another_contract_are_left_out(tmp_path):
    others = replace(ONE, request_id="r2", matrix=None), replace(ONE, request_id="r3", contract_hash="other")
    found = served(tmp_path, ONE, *others)
    assert ids(found) == [["r1"]]
    assert found.skipped == 1


def test_only_requests_since_the_timestamp_are_read(tmp_path):
    later = replace(ONE, request_id="r2", scored_us=ONE.scored_us + 1)
    assert ids(served(tmp_path, ONE, later, since_us=later.scored_us)) == [["r2"]]


def test_batches_have_whole_requests_and_a_limited_number_of_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "ROWS_PER_BATCH", 5)
    assert ids(served(tmp_path, *(replace(ONE, request_id=f"r{i}") for i in range(5)))) == [
        ["r0", "r1"],
        ["r2", "r3"],
        ["r4"],
    ]


def test_a_matrix_of_another_width_is_named(tmp_path):
    with pytest.raises(BrokenRecords, match="request r1"):
        ids(served(tmp_path, ONE, width=5))


def test_a_truncated_file_is_skipped_and_named_in_a_warning(tmp_path, caplog):
    """As a power failure leaves one; the audit compares what can be read."""
    found = served(tmp_path, ONE)
    (path,) = found.files
    path.write_bytes(path.read_bytes()[:-10])
    assert ids(found) == []
    assert f"{path} is damaged and is skipped" in caplog.text


def test_rows_have_the_timestamp_to_the_microsecond_and_only_the_facts_that_were_sent():
    frame = entity_rows([ONE, replace(ONE, request_id="r2", session_id="s", context={}, sent=[])], DECLARATION)
    assert frame["slate_id"].tolist() == ["r1", "r1", "r2", "r2"]
    assert frame["item_id"].tolist() == ["a", "b", "a", "b"]
    assert frame["shown_ts"].iloc[0] == pd.Timestamp(1_700_000_000_000_001, unit="us", tz="UTC")
    assert frame["session_id"].isna().tolist() == [True, True, False, False]
    np.testing.assert_array_equal(frame["is_recommended"].to_numpy(), np.array([np.nan, 1, np.nan, np.nan], np.float32))
    assert frame["store_id"].tolist() == ["7", "7", None, None]
