"""Scoring many sessions, from parquet to parquet."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch")

from tests.training.gru4rec import exported as small
from training.gru4rec.export import batch_scoring


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return small.export(tmp_path_factory.mktemp("batch") / "integers", small.INTEGER_IDS)


@pytest.fixture
def score(exported, tmp_path):
    """Run the command. Returns its status and the rows that it wrote."""

    def run(sessions, *arguments):
        source, out = tmp_path / "sessions.parquet", tmp_path / "out" / "best.parquet"
        if sessions is not None:
            pq.write_table(pa.table(sessions), source)
        paths = ["--sessions", str(source), "--out", str(out), "--model", str(exported.folder)]
        status = batch_scoring.main([*paths, *arguments])
        assert not out.parent.exists() or [p.name for p in out.parent.iterdir()] in ([], [out.name])
        return status, pq.read_table(out).to_pylist() if out.exists() else None

    return run


@pytest.mark.parametrize("ids", [["101", "102"], [101, 102]])
def test_each_session_gets_its_best_items_with_rank_and_score(exported, score, ids):
    status, rows = score({"session_id": ["a", "b"], "items": [ids, ids[:1]]}, "--k", "2")
    assert status == 0
    expected = [("a", *pair) for pair in exported.ranked(1, 2)[:2]] + [("b", *pair) for pair in exported.ranked(1)[:2]]
    assert [(r["session_id"], r["item_id"], r["rank"], r["popular"]) for r in rows] == [
        (session, str(100 + item), 1 + i % 2, False) for i, (session, item, _) in enumerate(expected)
    ]
    assert [r["score"] for r in rows] == pytest.approx([s for _, _, s in expected], abs=1e-6)


def test_sessions_without_known_items_are_marked_as_popular(score):
    _, rows = score({"session_id": ["a"], "items": pa.array([[]], pa.list_(pa.string()))}, "--k", "2")
    assert [(r["item_id"], r["score"], r["popular"]) for r in rows] == [("111", 10.0, True), ("101", 9.0, True)]


def test_batches_are_written_in_order(score, monkeypatch):
    sessions = {"session_id": [str(i) for i in range(23)], "items": [[100 + i % 12] for i in range(23)]}
    whole = score(sessions, "--k", "3", "--exclude-seen")
    monkeypatch.setattr(batch_scoring, "SESSIONS_AT_ONCE", 5)
    assert score(sessions, "--k", "3", "--exclude-seen") == whole
    assert [row["session_id"] for row in whole[1]] == [str(i) for i in range(23) for _ in range(3)]
    assert all(row["item_id"] != str(100 + int(row["session_id"]) % 12) for row in whole[1])


@pytest.mark.parametrize(
    ("sessions", "arguments", "message"),
    [
        (None, [], "sessions.parquet cannot be read"),
        ({"session_id": ["a"]}, [], "the column 'items' must hold lists of ids"),
        ({"session_id": ["a"], "items": ["101"]}, [], "the column 'items' must hold lists of ids"),
        ({"session_id": [1.5], "items": [["101"]]}, [], "the column 'session_id' must hold ids"),
        ({"session_id": ["a", "b"], "items": [["101"], None]}, [], "column 'items', row 2: the value is missing"),
        ({"session_id": ["a"], "items": [["101"]]}, ["--k", "99"], "k must be from 1 to 10, not 99"),
    ],
)
def test_bad_input_is_reported_in_one_line_and_no_file_is_written(score, capsys, sessions, arguments, message):
    status, rows = score(sessions, *arguments)
    assert (status, rows) == (2, None)
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_folder_without_a_model_is_refused(tmp_path, capsys):
    arguments = ["--sessions", "x", "--out", "y", "--model", str(tmp_path)]
    assert batch_scoring.main(arguments) == 2
    assert "run export_mlflow first" in capsys.readouterr().err
