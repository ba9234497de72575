"""The audit of a shop that serves for days without faults.

``--requests N`` sets the number of requests; the full run has 20,000.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.live.score_records import batch_of, read_records, score_files
from infra.models.vocabulary import MISSING
from tests.validation.skew.live_shop import FEATURES_OF_MODEL, SOURCES, VOCABULARY, days, live_shop
from validation.skew import replay
from validation.skew.__main__ import main
from validation.skew.audit import audit
from validation.skew.report import MARKDOWN, PAGE

PHASES = 5
CHANGES = 0.3  # share of the requests before which items change


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with live_shop(tmp_path_factory.mktemp("skew")) as found:
        yield found


@pytest.fixture(scope="module")
def clean(shop, request):
    """The findings of some days without a fault, on which items change. The app is closed afterwards."""
    requests = request.config.getoption("--requests") // PHASES
    seconds = 86_400 / 3 / max(requests, 1)  # so that a phase takes about eight hours
    shop.open()
    shop.serve(requests, seconds, CHANGES)
    shop.clock.move_to(days(1))
    shop.serve(requests, seconds, CHANGES)  # the rows of the new midnight are not yet in the store
    shop.build()
    shop.materialize(requests=25)
    shop.serve(requests, seconds, CHANGES)
    shop.clock.move_to(days(4))
    shop.materialize()  # the files are of an earlier build
    shop.serve(requests, seconds, CHANGES)
    shop.build()
    shop.materialize()
    shop.serve(requests, seconds, CHANGES)
    shop.close()
    return audit(shop.settings)


@pytest.fixture
def environment(shop, monkeypatch):
    for name in ("data_dir", "state_dir", "dataset"):
        monkeypatch.setenv(f"RERANK_{name.upper()}", str(getattr(shop.settings, name)))


def test_a_run_without_faults_has_no_unexplained_difference(shop, clean):
    assert clean.requests == len(shop.requests)
    assert clean.skipped == 0
    assert clean.unexplained == 0
    assert {"overridden", "not yet materialized", "materialization under way", "late data"} <= set(clean.causes)
    price, of_source = clean.of_feature["price"], clean.of_feature["own_history_score"]
    of_candidates = [each for each in clean.features if each.feature.source == "candidates"]
    assert len(of_candidates) == 2 * len(SOURCES)
    assert 0 < of_source.compared < price.compared  # only /recommend has sources
    assert clean.compared == len(FEATURES_OF_MODEL) * price.compared + len(of_candidates) * of_source.compared
    assert clean.different < clean.compared


def test_every_feature_has_known_values_to_compare(shop, clean):
    """A column that is always unknown would agree without proving anything."""
    seen = np.zeros(len(FEATURES_OF_MODEL), bool)
    for path in score_files(shop.settings.live_dir):
        for record in read_records(path):
            matrix = record.matrix[:, : len(FEATURES_OF_MODEL)].copy()
            for position, sent in record.sent:
                matrix[position, [FEATURES_OF_MODEL.index(name) for name in sent if name != "is_recommended"]] = np.nan
            categories = [FEATURES_OF_MODEL.index(name) for name in VOCABULARY.texts]
            matrix[:, categories] = np.where(matrix[:, categories] == MISSING, np.nan, matrix[:, categories])
            seen |= ~np.isnan(matrix).all(axis=0)
    assert [name for name, known in zip(FEATURES_OF_MODEL, seen, strict=True) if not known] == []


def test_live_rows_of_changed_items_were_read(shop, clean):
    """They are the ones that do not begin at a midnight."""
    day_us = 86_400_000_000
    records = [record for path in score_files(shop.settings.live_dir) for record in read_records(path)]
    live = sum(int(np.count_nonzero(record.read_us["item_attributes"] % day_us)) for record in records)
    assert live > 100


def test_the_command_writes_its_report_and_returns_status_0(shop, clean, environment, tmp_path, capsys):
    assert main(["--out", str(tmp_path / "report")]) == 0
    assert "0 of them unexplained" in capsys.readouterr().out
    assert (
        f"| not yet materialized | {clean.causes['not yet materialized']:,} |"
        in (tmp_path / "report" / MARKDOWN).read_text()
    )
    assert "<table" in (tmp_path / "report" / PAGE).read_text()


def test_without_requests_to_compare_the_status_is_2(shop, clean, environment, tmp_path, capsys):
    assert main(["--since", "2030-01-01", "--out", str(tmp_path / "report")]) == 2
    assert "has no request with its matrix" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "report").exists()


def test_a_replayed_request_is_shown_with_all_items_and_features(shop, clean, environment, capsys):
    assert replay.main([shop.requests[-1]]) == 0
    text = capsys.readouterr().out
    assert "the model's scores equal the logged scores bit for bit: yes" in text
    assert len(re.findall(r"^#\d+ ", text, re.MULTILINE)) >= 2
    assert re.search(r"^  category_id +item_attributes +[\d.]+ s +(c\d|rare or new) +(c\d|rare or new) ", text, re.M)
    assert re.search(r"^  orders_28d +item_windows +[\d.]+ s +\d+ +\d+ +[+-][\d.]+", text, re.MULTILINE)


def test_a_matrix_that_was_not_logged_is_rebuilt_and_the_scores_prove_it(shop, clean, monkeypatch):
    logged = replay.find_record
    monkeypatch.setattr(replay, "find_record", lambda *arguments: replace(logged(*arguments), matrix=None))
    for request_id in (shop.requests[0], shop.recommended[-1]):
        found = replay.replay(shop.settings, request_id)
        assert found.rebuilt
        assert found.same_scores
        np.testing.assert_array_equal(found.online, logged(shop.settings, request_id).matrix)


def test_contributions_sum_to_the_score(shop, clean):
    found = replay.replay(shop.settings, shop.requests[-1])
    np.testing.assert_allclose(found.contributions.sum(axis=1), found.comparison.record.scores, atol=1e-9)


@pytest.mark.parametrize(("request_id", "item"), [("nobody", None), (None, "no such item")])
def test_a_request_or_item_that_was_not_logged_cannot_be_replayed(shop, clean, environment, capsys, request_id, item):
    more = [] if item is None else ["--item", item]
    assert replay.main([request_id or shop.requests[0], *more]) == 2
    assert "validation.skew.replay:" in capsys.readouterr().err.splitlines()[-1]


def test_the_command_fails_above_its_threshold_and_skips_a_damaged_file(shop, clean, environment, tmp_path, caplog):
    """One value of one logged matrix is changed."""
    path = score_files(shop.settings.live_dir)[0]
    records = list(read_records(path))
    matrix = records[0].matrix.copy()
    matrix[0, FEATURES_OF_MODEL.index("slate_size")] += 1
    original = path.read_bytes()
    try:
        pq.write_table(pa.Table.from_batches([batch_of([replace(records[0], matrix=matrix)], "w")]), path)
        assert main(["--out", str(tmp_path), "--threshold", "0"]) == 1
        text = (tmp_path / MARKDOWN).read_text()
        assert f"| slate_size | unknown | {records[0].request_id} |" in text
        path.write_bytes(b"no parquet")
        assert main(["--out", str(tmp_path)]) == 0
        assert f"{path} is damaged and is skipped" in caplog.text
    finally:
        path.write_bytes(original)
