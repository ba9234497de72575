"""Which export is taken, and what the model is asked."""

import json
from datetime import timedelta

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from feature_repo.candidates.queries import queries_of_rows  # noqa: E402
from feature_repo.candidates.sources.next_item import GRAPH_FILE, NextItem  # noqa: E402
from feature_repo.datasets.errors import DatasetError  # noqa: E402
from feature_repo.slate import Row  # noqa: E402
from infra.models.next_item_graph import best_of, open_graph  # noqa: E402
from tests.feature_repo.candidates.sources.histories import asked  # noqa: E402
from tests.training.candidates.known import known_log  # noqa: E402
from tests.training.candidates.small_shop import SmallShop, at, export_sequences  # noqa: E402
from training.candidates.sources import next_item  # noqa: E402
from training.gru4rec.sessions.processed import SPLIT_FILE  # noqa: E402

IDS = ["d", "b", "gone", "a", "c"]  # in the order of the vocabulary; the log does not know "gone"
ACTS = [(1, "u", "view", each) for each in "abcd"]
PARAMS = {"max_length": 3}


@pytest.fixture
def log(tmp_path):
    with known_log(tmp_path, ACTS) as found:
        yield found


def export(log, name, until, ids=IDS, seed=11):
    shop = SmallShop(type("Place", (), {"log_dir": log.log_dir})(), [])
    export_sequences(shop, name, ids, until, seed)
    return log.log_dir.parent / name / "artifacts" / "onnx"


def expected(folder, sequence, known="abcd"):
    scores, indices = best_of(open_graph(folder / "gru4rec.onnx"), [[IDS.index(each) for each in sequence]], 5)
    return [(IDS[i], s) for i, s in zip(indices[0].tolist(), scores[0].tolist(), strict=True) if IDS[i] in known]


def answer(log, source, queries, k=5):
    found = source.candidates(queries, k)
    return list(zip(log.codes.decode(found.items), found.scores.tolist(), strict=True))


def test_the_newest_export_that_knew_nothing_later_is_taken(log):
    export(log, "gru4rec_old", at(days=5))
    wanted = export(log, "gru4rec_mid", at(days=9))
    export(log, "gru4rec", log.known_at)
    assert next_item.export_before(log.log_dir.parent, log.known_at) == wanted
    assert next_item.export_before(log.log_dir.parent, at(days=5)) is None


def test_an_export_that_does_not_say_until_when_it_was_trained_is_refused(log):
    folder = export(log, "gru4rec", at(days=5))
    assert next_item.fit(log, PARAMS) is not None
    for content in ("", "{}", json.dumps({"splits": {"train": {"to": None}, "val": {"to": None}}})):
        (folder / SPLIT_FILE).write_text(content)
        assert next_item.fit(log, PARAMS) is None
    (folder / SPLIT_FILE).unlink()
    assert next_item.fit(log, PARAMS) is None


@pytest.mark.parametrize("name", ["gru4rec.onnx", "vocab.json"])
@pytest.mark.parametrize("content", [None, b"no graph, and no JSON"])
def test_an_export_that_lacks_a_file_or_holds_a_damaged_one_is_named(log, name, content):
    folder = export(log, "gru4rec", at(days=5))
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    with pytest.raises(DatasetError, match=f"the export in {folder} cannot be used"):
        next_item.fit(log, PARAMS)


def test_the_session_is_read_oldest_first_and_else_the_newest_orders(log):
    folder = export(log, "gru4rec", at(days=5))
    source = next_item.fit(log, PARAMS)
    session = Row(
        {
            "cart_items": [],
            "recent_items": ["a", "new", "b", "b", "c", "d"],
            "recent_actions": ["view", "view", "remove_from_cart", "order", "view", "view"],
            "recent_us": [6, 5, 4, 3, 2, 1],
        }
    )
    of_session = queries_of_rows(log.codes, [9], [Row()], [session], [{}])
    assert answer(log, source, of_session) == pytest.approx(expected(folder, "cba"))
    orders = [("a", 1, 2, 2), ("b", 1, 3, 3), ("new", 1, 4, 4), ("c", 1, 5, 5), ("d", 1, 6, 6)]
    assert answer(log, source, asked(orders, codes=log.codes)) == pytest.approx(expected(folder, "cba"))
    assert answer(log, source, asked([("new", 1, 1, 1)], codes=log.codes)) == []


def test_similar_items_follow_the_item_alone(log):
    folder = export(log, "gru4rec", at(days=5))
    source = next_item.fit(log, PARAMS)
    found = source.similar(log.codes.encode(["b"]), 2)
    best = [item for item, _ in expected(folder, "b") if item != "b"]
    assert log.codes.decode(found.items) == best[:2]


def test_a_damaged_graph_is_found_when_it_is_read(log, tmp_path):
    export(log, "gru4rec", log.known_at - timedelta(days=1))
    folder = tmp_path / "saved"
    folder.mkdir()
    next_item.fit(log, PARAMS).save(folder)
    assert np.array_equal(NextItem.load(folder, log.codes).codes, [3, 1, -1, 0, 2])
    (folder / GRAPH_FILE).write_bytes(b"no graph")
    with pytest.raises(ValueError, match="cannot be opened"):
        NextItem.load(folder, log.codes)
