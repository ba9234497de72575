"""The audit over a shop that serves for days, and over the same shop with faults put into what serves.

``--requests N`` asks for more; the full run is 20,000.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.derived import families
from feature_repo.derived.family import or_nan
from feature_repo.live.score_records import batch_of, read_records, score_files
from feature_repo.model_features import feature_matrix
from feature_repo.schema import ITEM_WINDOWS, SESSION_STATE
from feature_repo.store import open_store
from serving.features import entity_rows, redis_reader
from serving.score import scorer
from tests.validation.skew.live_shop import DECLARATION, FEATURES_OF_MODEL, days, live_shop
from validation.skew import replay
from validation.skew.__main__ import main
from validation.skew.audit import Auditor, audit
from validation.skew.causes.knowledge import read_knowledge
from validation.skew.comparison import EQUAL, NAMES, UNEXPLAINED
from validation.skew.offline import offline_settings
from validation.skew.report import MARKDOWN, PAGE

PHASES = 5


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with live_shop(tmp_path_factory.mktemp("skew")) as found:
        yield found


@pytest.fixture(scope="module")
def clean(shop, request):
    """The findings over days without a fault; the app is closed again."""
    many = request.config.getoption("--requests") // PHASES
    every = 86_400 / 3 / max(many, 1)  # so that a phase takes about eight hours
    shop.open()
    shop.serve(many, every)
    shop.clock.move_to(days(1))
    shop.serve(many, every)  # before the new midnight's rows are in the store
    shop.build()
    shop.materialize(meanwhile=25)
    shop.serve(many, every)
    shop.clock.move_to(days(4))
    shop.materialize()  # of files that were built before
    shop.serve(many, every)
    shop.build()
    shop.materialize()
    shop.serve(many, every)
    shop.close()
    return audit(shop.settings)


@pytest.fixture
def environment(shop, monkeypatch):
    for name in ("data_dir", "state_dir", "dataset"):
        monkeypatch.setenv(f"RERANK_{name.upper()}", str(getattr(shop.settings, name)))


def test_no_difference_of_an_honest_run_is_unexplained(shop, clean):
    assert clean.requests == len(shop.requests)
    assert clean.skipped == 0
    assert clean.unexplained == 0
    assert {"overridden", "not yet materialized", "materialization under way", "late data"} <= set(clean.causes)
    assert clean.compared == len(FEATURES_OF_MODEL) * clean.features[0].compared
    assert clean.different < clean.compared


def test_every_feature_has_had_values_to_compare(shop, clean):
    """A column that is never known would agree for nothing."""
    seen = np.zeros(len(FEATURES_OF_MODEL), bool)
    for path in score_files(shop.settings.live_dir):
        for record in read_records(path):
            matrix = record.matrix.copy()
            for position, sent in record.sent:
                matrix[position, [FEATURES_OF_MODEL.index(name) for name in sent if name != "is_recommended"]] = np.nan
            seen |= ~np.isnan(matrix).all(axis=0)
    assert [name for name, known in zip(FEATURES_OF_MODEL, seen, strict=True) if not known] == ["old_price"]


def test_the_command_reports_and_its_status_tells(shop, clean, environment, tmp_path, capsys):
    assert main(["--out", str(tmp_path / "report")]) == 0
    assert "0 of them unexplained" in capsys.readouterr().out
    assert (
        f"| not yet materialized | {clean.causes['not yet materialized']:,} |"
        in (tmp_path / "report" / MARKDOWN).read_text()
    )
    assert "<table>" in (tmp_path / "report" / PAGE).read_text()


def test_nothing_to_compare_is_status_2_with_one_line(shop, clean, environment, tmp_path, capsys):
    assert main(["--since", "2030-01-01", "--out", str(tmp_path / "report")]) == 2
    assert "holds no request with its matrix" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "report").exists()


def test_a_replayed_request_is_shown_whole(shop, clean, environment, capsys):
    assert replay.main([shop.requests[-1]]) == 0
    text = capsys.readouterr().out
    assert "the model gives the logged scores again, bit for bit: yes" in text
    assert len(re.findall(r"^#\d+ ", text, re.MULTILINE)) >= 2
    assert re.search(r"^  orders_28d +item_windows +[\d.]+ s +\d+ +\d+ +[+-][\d.]+", text, re.MULTILINE)


def test_a_matrix_that_was_not_logged_is_made_again_and_the_scores_prove_it(shop, clean, monkeypatch):
    logged = replay.find_record
    monkeypatch.setattr(replay, "find_record", lambda *which: replace(logged(*which), matrix=None))
    for request_id in (shop.requests[0], shop.requests[-1]):
        found = replay.replay(shop.settings, request_id)
        assert found.remade
        assert found.rescored
        np.testing.assert_array_equal(found.online, logged(shop.settings, request_id).matrix)


def test_contributions_sum_to_the_score(shop, clean):
    found = replay.replay(shop.settings, shop.requests[-1])
    np.testing.assert_allclose(found.contributions.sum(axis=1), found.verdict.record.scores, atol=1e-9)


@pytest.mark.parametrize(("request_id", "item"), [("nobody", None), (None, "no such item")])
def test_what_was_not_logged_cannot_be_replayed(shop, clean, environment, capsys, request_id, item):
    more = [] if item is None else ["--item", item]
    assert replay.main([request_id or shop.requests[0], *more]) == 2
    assert "validation.skew.replay:" in capsys.readouterr().err.splitlines()[-1]


# ------------------------------------------------------------------------------ faults in what serves


def causes_since(shop, timestamp):
    """feature -> causes that are no excuse, of what was scored from ``timestamp`` on."""
    records = [
        record
        for path in score_files(shop.settings.live_dir)
        for record in read_records(path, int(timestamp.timestamp() * 1e6))
    ]
    known = read_knowledge(shop.settings)
    with offline_settings(shop.settings) as private:
        verdicts = Auditor(private, DECLARATION, known).verdicts(records)
    codes = np.concatenate([verdict.causes for verdict in verdicts])
    found = {
        name: {NAMES[code] for code in np.unique(codes[:, j]) if code != EQUAL}
        for j, name in enumerate(FEATURES_OF_MODEL)
    }
    return {name: causes & UNEXPLAINED for name, causes in found.items() if causes & UNEXPLAINED}


@pytest.fixture(scope="module")
def current(shop, clean):
    """The shop with everything in the store."""
    shop.clock.move_on(7200)
    shop.build()
    shop.materialize()
    return shop


@pytest.fixture
def faulty(current):
    """Open; the test closes it."""
    current.clock.move_on(60)
    current.open()
    return current


def visit(shop, name, *actions):
    """A session of user u1 with item events."""
    sent = [
        {"event_id": f"{name}{i}", "user_id": "u1", "session_id": name, "action": action, "item_id": item_id}
        for i, (action, item_id) in enumerate(actions)
    ]
    assert shop.client.post("/events", json={"events": sent}).json()["accepted"] == len(sent)


def asked(shop, session, items=("i01", "i02", "i03", "i25", "unknown"), user="u1"):
    return shop.score(user_id=user, session_id=session, items=[{"item_id": each} for each in items])


def test_an_ignored_ttl_is_found_and_named(faulty, monkeypatch):
    def never_expires(view, event_us, scored_us):
        return 0 < event_us <= scored_us

    visit(faulty, "expires", ("view", "i01"), ("add_to_cart", "i02"))
    faulty.clock.move_on(SESSION_STATE.ttl.total_seconds() + 60)
    began = faulty.clock.now()
    for module in (entity_rows, redis_reader):
        monkeypatch.setattr(module, "is_valid", never_expires)
    asked(faulty, "expires")
    faulty.close()
    found = causes_since(faulty, began)
    assert set().union(*found.values()) == {"ttl"}
    assert {"session_views", "session_idle_s", "touched_count", "in_cart", "together_sum"} <= set(found)


def test_a_wrong_default_is_found_and_named(faulty, monkeypatch):
    began = faulty.clock.now()
    monkeypatch.setattr(scorer, "feature_matrix", lambda *slate: np.nan_to_num(feature_matrix(*slate), nan=0.0))
    asked(faulty, "unheard of")
    faulty.close()
    found = causes_since(faulty, began)
    assert set().union(*found.values()) == {"default"}
    assert {"price", "session_views", "touched_count", "old_price"} <= set(found)


def test_a_wrong_default_of_a_stored_column_is_found_also_in_what_is_derived_from_it(faulty, monkeypatch):
    began = faulty.clock.now()
    honest = scorer.with_request

    def with_free_items(slate, *more):
        price = np.nan_to_num(slate.items["price"], nan=0.0)
        return replace(honest(slate, *more), items={**slate.items, "price": price})

    monkeypatch.setattr(scorer, "with_request", with_free_items)
    asked(faulty, "unheard of")
    faulty.close()
    assert causes_since(faulty, began) == {"price": {"default"}, "price_vs_slate": {"default"}}


def test_a_mix_up_of_float64_and_float32_is_found_and_named(faulty, monkeypatch):
    began = faulty.clock.now()

    def narrow(slate, declaration):
        items = {
            name: values.astype(np.float32).astype(np.float64) if name in ("first_seen_us", "last_order_us") else values
            for name, values in slate.items.items()
        }
        return feature_matrix(replace(slate, items=items), declaration)

    monkeypatch.setattr(scorer, "feature_matrix", narrow)
    asked(faulty, "unheard of")
    faulty.close()
    assert causes_since(faulty, began) == {"item_age_s": {"dtype"}, "item_last_order_age_s": {"dtype"}}


def test_ages_computed_in_float32_are_found_and_named(faulty, monkeypatch):
    def ages(slate, _):
        def since(timestamp):
            return (np.float32(slate.scored_us) - np.asarray(or_nan(timestamp), np.float32)) / 1e6

        stored = {"item_age_s": slate.items["first_seen_us"], "item_last_order_age_s": slate.items["last_order_us"]}
        of_user = {"user_age_s": "user_first_seen_us", "user_last_order_age_s": "user_last_order_us"}
        of_session = {"session_age_s": "session_first_us", "session_idle_s": "session_last_us"}
        stored |= {name: slate.user.get(column) for name, column in of_user.items()}
        stored |= {name: slate.session.get(column) for name, column in of_session.items()}
        return {name: since(timestamp) for name, timestamp in stored.items()}

    began = faulty.clock.now()
    with monkeypatch.context() as patch:
        wrong = tuple(replace(each, columns=ages) if each.name == "ages" else each for each in families.FAMILIES)
        patch.setattr(families, "FAMILIES", wrong)
        asked(faulty, "unheard of")
        faulty.close()
    found = causes_since(faulty, began)
    assert set().union(*found.values()) == {"dtype"}
    assert "user_age_s" in found


def test_a_session_in_another_time_zone_is_found_and_named(faulty):
    """The row is the log's, but for its instants, which are local."""
    visit(faulty, "local", ("view", "i01"), ("view", "i03"))
    store = open_store(faulty.settings)
    row = store.get_online_features(
        [f"{SESSION_STATE.name}:{column.name}" for column in SESSION_STATE.columns], [{"session_id": "local"}]
    ).to_dict()
    hours = 3600 * 1_000_000
    shifted = {
        name: [[us + hours for us in value] if isinstance(value, list) else value + hours for value in values]
        if name.endswith("_us")
        else values
        for name, values in row.items()
    }
    faulty.clock.move_on(60)
    began = faulty.clock.now()
    record_us = read_us_of(faulty, "local")
    at = pd.Timestamp(record_us, unit="us", tz="UTC")
    frame = pd.DataFrame({**shifted, "event_timestamp": [at], "created_timestamp": [at]})
    store.write_to_online_store(SESSION_STATE.name, frame)
    asked(faulty, "local")
    faulty.close()
    found = causes_since(faulty, began)
    assert {"session_age_s", "session_idle_s", "touched_age_s"} <= set(found)
    assert set().union(*found.values()) == {"shifted timestamp"}


def read_us_of(shop, session):
    """The event timestamp of its row online."""
    store = open_store(shop.settings)
    found = store.get_online_features([f"{SESSION_STATE.name}:session_views"], [{"session_id": session}])
    timestamp = found.proto.results[1].event_timestamps[0]
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1_000


def test_rows_written_with_a_shifted_timestamp_are_found_and_named(faulty):
    """The log's row of an item, two hours late by its timestamp, is of the request's future and hides its own."""
    visit(faulty, "before", ("view", "i11"))
    midnight = pd.Timestamp(faulty.clock.now()).ceil("D")
    faulty.clock.move_to((midnight + timedelta(hours=1)).to_pydatetime())
    visit(faulty, "after", ("view", "i01"))
    faulty.build()
    faulty.materialize()
    rows = pd.read_parquet(faulty.settings.features_dir / "item_windows.parquet")
    newest = rows[(rows["item_id"] == "i11") & (rows["event_timestamp"] == midnight)]
    assert len(newest) == 1
    ahead = timedelta(hours=2)
    late = newest.assign(
        event_timestamp=newest["event_timestamp"] + ahead, created_timestamp=newest["created_timestamp"]
    )
    store = open_store(faulty.settings)
    store.write_to_online_store(ITEM_WINDOWS.name, late)
    faulty.clock.move_on(1)
    began = faulty.clock.now()
    asked(faulty, "unheard of", ["i01", "i11"])
    faulty.close()
    found = causes_since(faulty, began)
    assert set().union(*found.values()) == {"shifted timestamp"}
    assert {"orders_28d", "item_age_s"} <= set(found)


def test_a_lost_update_of_a_session_is_unknown_not_excused(faulty):
    """The store is set back by hand to before the last event, as a writer that loses updates would leave it."""
    visit(faulty, "loses", ("view", "i01"))
    store = open_store(faulty.settings)
    client = store._get_provider().online_store.client(store.config)
    key = next(key for key in client.scan_iter(b"*loses*") if client.type(key) == b"hash")
    before = client.hgetall(key)
    faulty.clock.move_on(20)
    sent = {"event_id": "lost", "user_id": "u1", "session_id": "loses", "action": "view", "item_id": "i03"}
    assert faulty.client.post("/events", json={"events": [sent]}).json()["accepted"] == 1
    client.hset(key, mapping=before)
    faulty.clock.move_on(20)
    began = faulty.clock.now()
    asked(faulty, "loses")
    faulty.close()
    found = causes_since(faulty, began)
    assert found["session_views"] == {"unknown"}


def test_a_row_that_a_finished_run_did_not_write_is_unknown_not_excused(faulty):
    """One item's row is gone from the store, although its run has finished."""
    store = open_store(faulty.settings)
    client = store._get_provider().online_store.client(store.config)
    key = next(key for key in client.scan_iter(b"*i31*") if client.type(key) == b"hash")
    client.delete(key)
    faulty.clock.move_on(1)
    began = faulty.clock.now()
    asked(faulty, "unheard of", ["i01", "i31"])
    faulty.close()
    found = causes_since(faulty, began)
    assert found["orders_28d"] == {"unknown"}
    assert found["price_vs_slate"] == {"unknown"}


def test_the_command_fails_past_its_threshold(shop, clean, environment, tmp_path, capsys):
    """One value of one logged matrix is another."""
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
        assert main(["--out", str(tmp_path)]) == 2
        assert str(path) in capsys.readouterr().err
    finally:
        path.write_bytes(original)
