"""Reading the output of preprocess."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.gru4rec.errors import SplitError
from training.gru4rec.sessions.processed import SPLIT_SCHEMA, Sessions, Vocabulary, load_split


def write(folder, sessions, items):
    ts = pa.array(range(len(items))).cast(pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    columns = [pa.array(sessions, pa.string()), pa.array(map(str, items), pa.string()), pa.array(items, pa.int32()), ts]
    pq.write_table(pa.Table.from_arrays(columns, schema=SPLIT_SCHEMA), folder / "train.parquet")


def test_sessions_are_read_in_the_order_of_the_file(tmp_path):
    write(tmp_path, ["b", "b", "a", "c", "c", "c"], [4, 5, 6, 7, 7, 9])
    found = load_split(tmp_path, "train")
    assert [found[i].tolist() for i in range(len(found))] == [[4, 5], [6], [7, 7, 9]]
    assert found.items.dtype == np.int32
    assert found.ts_us.tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(IndexError):
        found[3]


def test_an_empty_split_has_no_sessions(tmp_path):
    write(tmp_path, [], [])
    assert len(load_split(tmp_path, "train")) == 0


def test_a_session_whose_rows_are_not_contiguous_is_refused(tmp_path):
    write(tmp_path, ["a", "b", "a"], [1, 2, 3])
    with pytest.raises(SplitError, match=r"train\.parquet: the rows of a session are not contiguous"):
        load_split(tmp_path, "train")


def test_a_missing_or_broken_split_names_the_file(tmp_path):
    with pytest.raises(SplitError, match=r"test\.parquet cannot be read .*run preprocess first"):
        load_split(tmp_path, "test")
    (tmp_path / "val.parquet").write_bytes(b"PAR1 not really PAR1")
    with pytest.raises(SplitError, match=r"val\.parquet"):
        load_split(tmp_path, "val")


def test_a_saved_vocabulary_is_loaded_equal_and_a_broken_file_is_named(tmp_path):
    Vocabulary(("x", "y"), np.array([3, 1])).save(tmp_path)
    found = Vocabulary.load(tmp_path)
    assert (found.items, found.counts.tolist(), found.index) == (("x", "y"), [3, 1], {"x": 0, "y": 1})
    (tmp_path / "vocab.json").write_text('{"items": ["x", "x"], "counts": [1, 1]}')
    with pytest.raises(SplitError, match=r"vocab\.json is not a vocabulary: an item id occurs twice"):
        Vocabulary.load(tmp_path)
    (tmp_path / "vocab.json").unlink()
    with pytest.raises(SplitError, match="run preprocess first"):
        Vocabulary.load(tmp_path)


@pytest.mark.parametrize("starts", [[1, 2], [0, 1], [0, 0, 2], []])
def test_starts_that_do_not_fit_the_items_are_refused(starts):
    with pytest.raises(SplitError):
        Sessions(np.array([1, 2], np.int32), np.array(starts, np.int64), np.array([0, 0]))
