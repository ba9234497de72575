"""The command: files that fit together, correct statistics, no partial output."""

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

from infra.params import read_params
from infra.settings import Settings
from training.gru4rec.config import read_config
from training.gru4rec.errors import BadConfig, SplitError
from training.gru4rec.sessions.preprocess import run
from training.gru4rec.sessions.processed import SPLIT_SCHEMA, Vocabulary, load_split

DAY = 86_400


def write_tsv(path, sessions):
    """sessions: (id, first second, items), one item per second."""
    lines = [f"{name}\t{item}\t{begin + k}" for name, begin, items in sessions for k, item in enumerate(items)]
    path.write_text("SessionId\tItemId\tTime\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def preprocess(tmp_path):
    """Run the command into ``tmp_path / out``. Returns the processed folder."""
    settings = Settings(dataset="x", data_dir=tmp_path, state_dir=tmp_path / "var", threads=1)

    def call(*arguments):
        config = read_config(read_params(settings), [f"out={tmp_path / 'out'}", *arguments])
        run(config, settings)
        return config.folders(settings).processed

    return call


SESSIONS = [
    ("s1", 0, "aab"),  # the repeat is dropped
    ("s2", 100, "abz"),  # z is rare
    ("s3", 5 * DAY, "ba"),  # validation
    ("s4", 8 * DAY, "abq"),  # test, where q is unseen
    ("s5", 8 * DAY + 50, "qa"),  # too short without q
]
DAYS = ("data.test_days=2", "data.validation_days=3", "data.min_item=2")


def test_the_written_files_have_the_events_that_pass_all_filters(tmp_path, preprocess, capsys):
    folder = preprocess(f"data.source={write_tsv(tmp_path / 'log.txt', SESSIONS)}", *DAYS)
    vocabulary = Vocabulary.load(folder)
    assert (vocabulary.items, vocabulary.counts.tolist()) == (("a", "b"), [2, 2])
    splits = {name: load_split(folder, name) for name in ("train", "val", "test")}
    assert {name: [found[i].tolist() for i in range(len(found))] for name, found in splits.items()} == {
        "train": [[0, 1], [0, 1]],
        "val": [[1, 0]],
        "test": [[0, 1]],
    }
    table = pq.read_table(folder / "test.parquet")
    assert table.schema.equals(SPLIT_SCHEMA)
    begin = datetime.fromtimestamp(8 * DAY, UTC)
    assert table.slice(0, 1).to_pylist() == [{"session_id": "s4", "item_id": "a", "item": 0, "ts": begin}]
    statistics = json.loads((folder / "split.json").read_text())
    assert statistics["source"] == {"events": 13, "sessions": 5, "items": 4, "users": 5}
    assert statistics["repeats_dropped"] == 1
    counts = {name: (found["sessions"], found["events"]) for name, found in statistics["splits"].items()}
    assert counts == {"train": (2, 4), "val": (1, 2), "test": (1, 2)}
    assert {name: found["events_dropped"] for name, found in statistics["splits"].items()} == {
        "train": 1,
        "val": 0,
        "test": 3,
    }
    assert "| train | 2 | 4 | 2 | 1 | 1970-01-01T00:00:00+00:00 |" in capsys.readouterr().out


def test_a_users_sessions_are_numbered(tmp_path, preprocess):
    rows = [(0, 1, 10), (1, 1, 11), (4000, 1, 10), (4001, 1, 11), (3 * DAY, 1, 10), (3 * DAY + 1, 1, 11)]
    lines = [f"{second * 1000},{visitor},view,{item}," for second, visitor, item in rows]
    (tmp_path / "events.csv").write_text("\n".join(["timestamp,visitorid,event,itemid,transactionid", *lines, ""]))
    folder = preprocess(f"data.source={tmp_path / 'events.csv'}", *DAYS[:1], "data.validation_days=0", *DAYS[2:])
    ids = [pq.read_table(folder / f"{name}.parquet")["session_id"].to_pylist() for name in ("train", "test")]
    assert ids == [["1-0", "1-0", "1-1", "1-1"], ["1-2", "1-2"]]
    assert len(load_split(folder, "val")) == 0


def test_files_of_an_existing_split_keep_their_order_repeats_and_rare_items(tmp_path, preprocess):
    train = write_tsv(tmp_path / "train.txt", [("late", 900, "aab"), ("early", 5, "bc"), ("one", 7, "a")])
    test = write_tsv(tmp_path / "test.txt", [("t1", 2000, "axb"), ("t2", 3000, "xb")])
    folder = preprocess(f"data.source={train}", f"data.test={test}", "data.drop_repeats=false")
    vocabulary = Vocabulary.load(folder)
    found = {name: load_split(folder, name) for name in ("train", "val", "test")}
    named = {name: ["".join(vocabulary.items[i] for i in s[k]) for k in range(len(s))] for name, s in found.items()}
    assert named == {"train": ["aab", "bc"], "val": [], "test": ["ab"]}
    folder = preprocess(f"data.source={train}", f"data.test={test}", f"data.validation={test}")
    assert len(load_split(folder, "val")) == 1


def test_later_events_change_neither_train_nor_the_vocabulary(tmp_path, preprocess):
    source = f"data.source={tmp_path / 'log.txt'}"
    last = ("s9", 9 * DAY, "ab")
    seen = []
    for later in ("abq", "zzz"):  # with zzz the support of z would be high enough
        write_tsv(tmp_path / "log.txt", [*SESSIONS[:3], ("s4", 8 * DAY, later), last])
        folder = preprocess(source, *DAYS)
        seen.append([(folder / name).read_bytes() for name in ("train.parquet", "val.parquet", "vocab.json")])
    assert seen[0] == seen[1]


def test_a_log_that_cannot_be_split_leaves_the_earlier_output_unchanged(tmp_path, preprocess):
    source = f"data.source={write_tsv(tmp_path / 'log.txt', SESSIONS)}"
    folder = preprocess(source, *DAYS)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for arguments, message in (
        (("data.min_item=9",), "no item occurs 9 times"),
        (("data.test_days=50",), "train is empty: the log spans 8.0 days"),
    ):
        with pytest.raises(SplitError, match=message):
            preprocess(source, *DAYS, *arguments)
    strange = write_tsv(tmp_path / "test.txt", [("t", 0, "xyz")])
    with pytest.raises(SplitError, match="test is empty: none of its items are in train"):
        preprocess(source, f"data.test={strange}")
    (tmp_path / "events.csv").write_text("timestamp,visitorid,event,itemid\n1,2,view,3\n")
    with pytest.raises(BadConfig, match="must be TSVs"):
        preprocess(source, f"data.test={tmp_path / 'events.csv'}")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["processed"]
    assert np.all(Vocabulary.load(folder).counts > 0)
