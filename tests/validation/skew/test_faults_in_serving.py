"""The audit of a shop with faults planted in serving: each is found and named."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from feature_repo.candidates.queries import queries_of_rows
from feature_repo.candidates.stage_two_features import recommend_matrix
from feature_repo.definitions.views import ITEM_WINDOWS, SESSION_STATE
from feature_repo.derived import families
from feature_repo.derived.family import or_nan
from feature_repo.live.score_records import read_records, score_files
from feature_repo.model_features import feature_matrix
from feature_repo.slate import Row
from feature_repo.store import open_store
from infra.redis_server.server import endpoint
from serving.features import entity_rows, redis_reader
from serving.recommend import candidate_slates
from serving.score import scorer
from tests.validation.skew.live_shop import DECLARATION, SOURCES, live_shop
from validation.skew.audit import Auditor
from validation.skew.causes.knowledge import read_knowledge
from validation.skew.comparison import EQUAL, NAMES, UNEXPLAINED
from validation.skew.offline import offline_settings
from validation.skew.recomputed import Recomputation


def causes_since(shop, timestamp):
    """feature -> causes that count as unexplained, of the requests since ``timestamp``."""
    records = [
        record
        for path in score_files(shop.settings.live_dir)
        for record in read_records(path, int(timestamp.timestamp() * 1e6))
    ]
    known = read_knowledge(shop.settings)
    with offline_settings(shop.settings) as private:
        comparisons = Auditor(private, DECLARATION, known, Recomputation(shop.settings, DECLARATION)).compare(records)
    found: dict[str, set[str]] = {}
    for comparison in comparisons:
        for j, feature in enumerate(comparison.features):
            codes = np.unique(comparison.causes[:, j])
            found.setdefault(feature.name, set()).update(NAMES[code] for code in codes if code != EQUAL)
    return {name: causes & UNEXPLAINED for name, causes in found.items() if causes & UNEXPLAINED}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The shop with all rows in the store."""
    with live_shop(tmp_path_factory.mktemp("faults")) as found:
        found.clock.move_on(7200)
        found.build()
        found.materialize()
        yield found


@pytest.fixture
def faulty(shop):
    """The open shop; the test closes it."""
    shop.clock.move_on(60)
    shop.open()
    return shop


def visit(shop, name, *actions):
    """Send the item events of a session of user u1."""
    sent = [
        {"event_id": f"{name}{i}", "user_id": "u1", "session_id": name, "action": action, "item_id": item_id}
        for i, (action, item_id) in enumerate(actions)
    ]
    assert shop.client.post("/events", json={"events": sent}).json()["accepted"] == len(sent)


def score(shop, session, items=("i01", "i02", "i03", "i25", "unknown"), user="u1"):
    return shop.score(user_id=user, session_id=session, items=[{"item_id": item_id} for item_id in items])


def test_an_ignored_ttl_is_found_and_named(faulty, monkeypatch):
    def never_expires(view, event_us, scored_us):
        return 0 < event_us <= scored_us

    visit(faulty, "expires", ("view", "i01"), ("add_to_cart", "i02"))
    faulty.clock.move_on(SESSION_STATE.ttl.total_seconds() + 60)
    started = faulty.clock.now()
    for module in (entity_rows, redis_reader):
        monkeypatch.setattr(module, "is_valid", never_expires)
    score(faulty, "expires")
    faulty.close()
    found = causes_since(faulty, started)
    assert set().union(*found.values()) == {"ttl"}
    assert {"session_views", "session_idle_s", "touched_count", "in_cart", "together_sum"} <= set(found)


def with_ranks_from_one(slate, declaration, columns, coder):
    columns = columns.copy()
    columns[:, 1::2] += 1
    return recommend_matrix(slate, declaration, columns, coder)


def without_the_session(codes, at_us, users, sessions, contexts):
    return queries_of_rows(codes, at_us, users, [Row() for _ in sessions], contexts)


@pytest.mark.parametrize(
    ("name", "fault", "found_in"),
    [
        ("recommend_matrix", with_ranks_from_one, {f"{source}_rank" for source in SOURCES}),
        ("queries_of_rows", without_the_session, {"covisitation_score", "covisitation_rank"}),
    ],
)
def test_a_fault_in_what_the_sources_say_is_found_where_it_is(faulty, monkeypatch, name, fault, found_in):
    session = f"recommended by {name}"
    visit(faulty, session, ("view", "i05"), ("add_to_cart", "i06"))
    faulty.clock.move_on(5)
    started = faulty.clock.now()
    monkeypatch.setattr(candidate_slates, name, fault)
    faulty.recommend(user_id="u1", session_id=session)
    faulty.close()
    found = causes_since(faulty, started)
    assert found_in <= set(found)
    assert {feature.rsplit("_", 1)[0] for feature in found} <= set(SOURCES)
    assert set().union(*found.values()) == {"unknown"}


def test_a_wrong_default_is_found_and_named(faulty, monkeypatch):
    started = faulty.clock.now()
    monkeypatch.setattr(scorer, "feature_matrix", lambda *slate: np.nan_to_num(feature_matrix(*slate), nan=0.0))
    score(faulty, "unheard of")
    faulty.close()
    found = causes_since(faulty, started)
    assert set().union(*found.values()) == {"default"}
    assert {"price", "session_views", "touched_count", "old_price"} <= set(found)


def test_a_wrong_default_of_a_stored_column_is_found_in_derived_features_too(faulty, monkeypatch):
    started = faulty.clock.now()
    original = scorer.with_request

    def with_free_items(slate, *more):
        price = np.nan_to_num(slate.items["price"], nan=0.0)
        return replace(original(slate, *more), items={**slate.items, "price": price})

    monkeypatch.setattr(scorer, "with_request", with_free_items)
    score(faulty, "unheard of")
    faulty.close()
    assert causes_since(faulty, started) == {"price": {"default"}, "price_vs_slate": {"default"}}


def test_float32_in_place_of_float64_is_found_and_named(faulty, monkeypatch):
    started = faulty.clock.now()

    def narrow(slate, declaration, coder):
        items = {
            name: values.astype(np.float32).astype(np.float64) if name in ("first_seen_us", "last_order_us") else values
            for name, values in slate.items.items()
        }
        return feature_matrix(replace(slate, items=items), declaration, coder)

    monkeypatch.setattr(scorer, "feature_matrix", narrow)
    score(faulty, "unheard of")
    faulty.close()
    assert causes_since(faulty, started) == {"item_age_s": {"dtype"}, "item_last_order_age_s": {"dtype"}}


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

    started = faulty.clock.now()
    with monkeypatch.context() as patch:
        wrong = tuple(replace(each, columns=ages) if each.name == "ages" else each for each in families.FAMILIES)
        patch.setattr(families, "FAMILIES", wrong)
        score(faulty, "unheard of")
        faulty.close()
    found = causes_since(faulty, started)
    assert set().union(*found.values()) == {"dtype"}
    assert "user_age_s" in found


def test_a_session_in_another_time_zone_is_found_and_named(faulty):
    """The row is that of the log, but its timestamps are local times."""
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
    started = faulty.clock.now()
    record_us = read_us_of(faulty, "local")
    at = pd.Timestamp(record_us, unit="us", tz="UTC")
    frame = pd.DataFrame({**shifted, "event_timestamp": [at], "created_timestamp": [at]})
    store.write_to_online_store(SESSION_STATE.name, frame)
    score(faulty, "local")
    faulty.close()
    found = causes_since(faulty, started)
    assert {"session_age_s", "session_idle_s", "touched_age_s"} <= set(found)
    assert set().union(*found.values()) == {"shifted timestamp"}


def read_us_of(shop, session):
    """The event timestamp of the session's row in the store."""
    store = open_store(shop.settings)
    found = store.get_online_features([f"{SESSION_STATE.name}:session_views"], [{"session_id": session}])
    timestamp = found.proto.results[1].event_timestamps[0]
    return timestamp.seconds * 1_000_000 + timestamp.nanos // 1_000


def test_rows_written_with_a_shifted_timestamp_are_found_and_named(faulty):
    """An item's row gets a timestamp two hours ahead. It is newer than the request and hides the right row."""
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
    started = faulty.clock.now()
    score(faulty, "unheard of", ["i01", "i11"])
    faulty.close()
    found = causes_since(faulty, started)
    assert set().union(*found.values()) == {"shifted timestamp"}
    assert {"orders_28d", "item_age_s"} <= set(found)


def test_a_lost_update_of_a_session_is_unknown(faulty):
    """The session's row is set back to its state before the last event, as by a writer that loses updates."""
    visit(faulty, "loses", ("view", "i01"))
    client = endpoint(faulty.settings).client()
    key = next(key for key in client.scan_iter(b"*loses*") if client.type(key) == b"hash")
    before = client.hgetall(key)
    faulty.clock.move_on(20)
    sent = {"event_id": "lost", "user_id": "u1", "session_id": "loses", "action": "view", "item_id": "i03"}
    assert faulty.client.post("/events", json={"events": [sent]}).json()["accepted"] == 1
    client.hset(key, mapping=before)
    faulty.clock.move_on(20)
    started = faulty.clock.now()
    score(faulty, "loses")
    faulty.close()
    found = causes_since(faulty, started)
    assert found["session_views"] == {"unknown"}


def test_a_row_that_a_finished_run_did_not_write_is_unknown(faulty):
    """One item's row is deleted from the store, although its run has finished."""
    client = endpoint(faulty.settings).client()
    key = next(key for key in client.scan_iter(b"*i31*") if client.type(key) == b"hash")
    client.delete(key)
    faulty.clock.move_on(1)
    started = faulty.clock.now()
    score(faulty, "unheard of", ["i01", "i31"])
    faulty.close()
    found = causes_since(faulty, started)
    assert found["orders_28d"] == {"unknown"}
    assert found["price_vs_slate"] == {"unknown"}
