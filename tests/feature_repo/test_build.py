"""The built tables equal plain-Python definitions, on small random logs."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from statistics import pstdev

import pyarrow.parquet as pq
import pytest

from feature_repo.build.__main__ import build, main
from feature_repo.build.item_companions import EVERY
from feature_repo.build.log_views import last_midnight, snapshots
from feature_repo.definitions.extents import BASKET_DECAY, HALF_LIVES_DAYS, HISTORY_LIMIT
from feature_repo.definitions.views import ITEM_WINDOWS, USER_WINDOWS, views
from infra.settings import Settings
from tests.small_log import DECLARATION, at, event, impression, item, write_log

DAYS = 45
DAY = timedelta(days=1)


def random_events(seed: int) -> list[dict]:
    rng = random.Random(seed)
    found = []
    for number in range(260):
        when = at(seconds=rng.randrange(DAYS * 86_400))
        if rng.random() < 0.1:
            when = last_midnight(when)  # exactly on the boundary
        action = rng.choice(["view", "add_to_cart", "order", "order"])
        name = rng.choice("abcd")
        found.append(
            event(
                number,
                when,
                action,
                name,
                user_id=rng.choice("uvw"),
                session_id=f"s{when.date()}{rng.choice('uv')}",
                category_id={"a": "x", "b": "x"}.get(name, "y"),
                value=round(rng.uniform(1, 9), 2) if action == "order" else None,
            )
        )
    return found


def items_with_prices() -> list[dict]:
    return [
        item("a", category_id="x", price=1.0),
        item("a", category_id="x", price=3.0, valid_from_ts=at(10, 5)),
        item("b", category_id="x", price=5.0),
        item("c", category_id="y", price=None),
        item("d", category_id="y", price=4.0, valid_from_ts=at(3)),
    ]


def built(tmp_path, name: str, events: list[dict], until: datetime | None = None) -> Settings:
    settings = Settings(data_dir=tmp_path / name, state_dir=tmp_path / "var", dataset="tiny", threads=1)
    write_log(
        settings.log_dir,
        items=items_with_prices(),
        events=events,
        impressions=[impression("1", 0, at(DAYS), "a", 1)],
    )
    build(settings, until)
    return settings


def rows(settings: Settings, view: str) -> list[dict]:
    return pq.read_table(settings.features_dir / f"{view}.parquet").to_pylist()


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    events = random_events(1)
    return built(tmp_path_factory.mktemp("build"), "a", events), events


def orders_of(events, midnight, days, **equal):
    return [
        e
        for e in events
        if e["action"] == "order"
        and midnight - days * DAY <= e["received_ts"] < midnight
        and all(e[k] == v for k, v in equal.items())
    ]


def test_item_windows_equal_their_definition_at_every_row(log):
    settings, events = log
    found = rows(settings, "item_windows")
    assert len(found) > 100
    first_view = min(e["received_ts"] for e in events if e["action"] == "view")
    for row in found:
        midnight, name = row["event_timestamp"], row["item_id"]
        for days in (1, 7, 28):
            assert row[f"orders_{days}d"] == len(orders_of(events, midnight, days, item_id=name))
            viewed = [
                e for e in events
                if e["action"] == "view" and e["item_id"] == name
                and midnight - days * DAY <= e["received_ts"] < midnight
            ]  # fmt: skip
            assert row[f"views_{days}d"] == (len(viewed) if first_view < midnight else None)
        month = orders_of(events, midnight, 28, item_id=name)
        assert row["buyers_28d"] == len({(e["user_id"], e["received_ts"].date()) for e in month})
        assert row["revenue_28d"] == pytest.approx(sum(e["value"] for e in month), rel=1e-6)
        category = "x" if name in "ab" else "y"
        sold = len(orders_of(events, midnight, 28, category_id=category))
        known = name != "d" or midnight > at(3)  # the time of its first attributes
        assert row["category_orders_28d"] == (sold if known else None)
        ever = [e["received_ts"] for e in orders_of(events, midnight, 10_000, item_id=name)]
        assert row["last_order_us"] == (int(max(ever).timestamp() * 1e6) if ever else None)


def test_prices_are_compared_with_their_history_and_category(log):
    settings, _ = log
    by_day = {(r["item_id"], r["event_timestamp"]): r for r in rows(settings, "item_windows")}
    first, after = by_day["a", at(1)], by_day["a", at(11)]
    assert first["price_vs_history"] == 1
    assert first["price_vs_category"] == pytest.approx(1 / 3)  # a costs 1, b costs 5
    assert after["price_vs_history"] == pytest.approx(3 / 2)
    assert after["price_vs_category"] == pytest.approx(3 / 4)
    assert all(r["price_vs_history"] is None for r in rows(settings, "item_windows") if r["item_id"] == "c")


def test_there_is_a_row_at_each_change_of_a_value_and_at_least_every_half_ttl(log):
    settings, events = log
    for view in (ITEM_WINDOWS, USER_WINDOWS):
        by_key: dict[str, list[datetime]] = {}
        for row in rows(settings, view.name):
            by_key.setdefault(row[view.join_key], []).append(row["event_timestamp"])
        for timestamps in by_key.values():
            assert len(set(timestamps)) == len(timestamps)
            assert all(later - earlier <= view.ttl / 2 for earlier, later in pairwise(timestamps))
    timestamps = {(r["item_id"], r["event_timestamp"]): r["orders_7d"] for r in rows(settings, "item_windows")}
    for name in "abcd":
        before = None
        for day in range(2, DAYS + 1):
            now = len(orders_of(events, at(day), 7, item_id=name))
            if before is not None and now != before:
                assert timestamps[name, at(day)] == now
            before = now


def test_user_windows_equal_their_definition_at_every_row(log):
    settings, events = log
    for row in rows(settings, "user_windows"):
        midnight, user = row["event_timestamp"], row["user_id"]
        ever = orders_of(events, midnight, 10_000, user_id=user)
        month = orders_of(events, midnight, 28, user_id=user)
        assert row["user_items_28d"] == len(month)
        assert row["user_orders_28d"] == len({(e["session_id"], e["received_ts"].date()) for e in month})
        assert row["user_spend_28d"] == pytest.approx(sum(e["value"] for e in month), rel=1e-6)
        assert row["user_is_new"] == (not ever)
        if ever:
            assert row["user_mean_price"] == pytest.approx(sum(e["value"] for e in ever) / len(ever), rel=1e-6)


def grouped(events, key):
    found = {}
    for each in events:
        found.setdefault(key(each), []).append(each)
    return found


def test_user_history_holds_each_item_once_latest_first(log):
    settings, events = log
    found = rows(settings, "user_history")
    assert found
    for row in found:
        ever = orders_of(events, row["event_timestamp"], 10_000, user_id=row["user_id"])
        counts = Counter(e["item_id"] for e in ever)
        assert dict(zip(row["history_items"], row["history_counts"], strict=True)) == counts
        latest = {e["item_id"]: e["received_ts"] for e in sorted(ever, key=lambda e: e["received_ts"])}
        assert row["history_last_us"] == sorted((int(t.timestamp() * 1e6) for t in latest.values()), reverse=True)
        ages = {item: [(latest[item] - e["received_ts"]).total_seconds() / 86_400 for e in ever if e["item_id"] == item]
                for item in latest}  # fmt: skip
        for days in HALF_LIVES_DAYS:
            assert row[f"history_decayed_{days}d"] == pytest.approx(
                [sum(2 ** (-age / days) for age in ages[item]) for item in row["history_items"]], rel=1e-6
            )
        assert len(row["history_items"]) <= HISTORY_LIMIT
        assert set(row["history_categories"]) <= {"x", "y"}


def test_user_history_counts_baskets_and_gaps_as_loops_do(log):
    settings, events = log
    for row in rows(settings, "user_history"):
        midnight = row["event_timestamp"]
        ever = sorted(orders_of(events, midnight, 10_000, user_id=row["user_id"]), key=itemgetter("received_ts"))
        baskets = grouped(ever, lambda e: (e["session_id"], e["received_ts"].date()))
        first_order = {key: (group[0]["received_ts"], *key) for key, group in baskets.items()}
        number = {key: n for n, key in enumerate(sorted(baskets, key=first_order.__getitem__), start=1)}
        of_item = grouped(ever, itemgetter("item_id"))
        for i, each in enumerate(row["history_items"]):
            keys = [(e["session_id"], e["received_ts"].date()) for e in of_item[each]]
            timestamps = [e["received_ts"].timestamp() for e in of_item[each]]
            numbers = [number[key] for key in keys]
            assert (row["history_first_basket"][i], row["history_last_basket"][i]) == (min(numbers), max(numbers))
            sizes = [len(baskets[key]) for key in keys]
            expected = sum(
                size**-0.25 * BASKET_DECAY ** (max(numbers) - n) for size, n in zip(sizes, numbers, strict=True)
            )
            assert row["history_basket_decayed"][i] == pytest.approx(expected, rel=1e-6)
            ages = [(timestamps[-1] - t) / 86_400 for t in timestamps]
            expected = sum(len(baskets[key]) ** -0.25 * 2 ** (-age / 60) for key, age in zip(keys, ages, strict=True))
            assert row["history_weighted_60d"][i] == pytest.approx(expected, rel=1e-6)
            gaps = [later - earlier for earlier, later in pairwise(timestamps)]
            expected = pstdev(gaps) if len(gaps) > 1 else 0.0
            assert row["history_gap_sd_s"][i] == pytest.approx(expected, rel=1e-4, abs=1.0)


def test_companions_are_the_items_ordered_in_the_same_sessions(tmp_path):
    events = []
    for day in range(20):
        for i, name in enumerate("ab" if day % 2 else "abc"):
            events.append(event(day * 10 + i, at(day, i), "order", name, session_id=f"s{day}", value=1.0))
    settings = built(tmp_path, "c", events)
    midnight = snapshots(EVERY, at(), at(DAYS))[-1]
    row = next(r for r in rows(settings, "item_companions") if r["item_id"] == "a" and r["event_timestamp"] == midnight)
    assert row["companion_items"] == ["b", "c"]
    assert row["companion_shares"] == [1.0, 0.5]


def test_an_item_that_lost_its_companions_gets_an_empty_list(tmp_path):
    events = [
        event(day * 10 + i, at(day, i), "order", name, session_id=f"s{day}", value=1.0)
        for day in range(8)
        for i, name in enumerate("ab")
    ] + [
        event(1000 + day * 10 + i, at(day, i), "order", name, session_id=f"t{day}", value=1.0)
        for day in range(60, 84)
        for i, name in enumerate("cd")
    ]
    settings = Settings(data_dir=tmp_path / "d", state_dir=tmp_path / "var", dataset="tiny", threads=1)
    write_log(
        settings.log_dir, items=items_with_prices(), events=events, impressions=[impression("1", 0, at(90), "a", 1)]
    )
    build(settings)
    last = [r for r in rows(settings, "item_companions") if r["item_id"] == "a"][-1]
    assert last["companion_items"] == []


@pytest.mark.parametrize("seed", [2, 3])
def test_later_events_do_not_change_earlier_rows(tmp_path, seed):
    events = random_events(seed)
    timestamp = at(30)
    rng = random.Random(seed)
    changed = [
        e if e["received_ts"] < timestamp else {**e, "item_id": "d", "action": "order", "value": 5.0}
        for e in events
        if e["received_ts"] < timestamp or rng.random() < 0.7
    ] + [event(9000 + i, at(31, i), "view", "b") for i in range(20)]
    before, after = built(tmp_path, "before", events), built(tmp_path, "after", changed)
    for view in views(DECLARATION):
        first, second = (
            [r for r in rows(settings, view.name) if r["event_timestamp"] <= timestamp] for settings in (before, after)
        )
        assert first, view.name
        key = itemgetter(view.join_key, "event_timestamp")
        assert sorted(first, key=key) == sorted(second, key=key), view.name


def test_no_batch_row_includes_a_day_that_is_not_over(log):
    settings, _ = log
    assert max(r["event_timestamp"] for r in rows(settings, "item_windows")) == at(DAYS)


def test_building_twice_gives_the_same_rows(tmp_path):
    events = random_events(4)
    first, second = built(tmp_path, "one", events), built(tmp_path, "two", events)
    for view in views(DECLARATION):
        assert rows(first, view.name) == rows(second, view.name)


def test_the_error_names_a_missing_log_file_and_the_old_features_stay(tmp_path, monkeypatch, capsys):
    settings = built(tmp_path, "data", random_events(5))
    (settings.log_dir / "events.parquet").unlink()
    for name, value in {"DATA_DIR": settings.data_dir, "STATE_DIR": settings.state_dir, "DATASET": "tiny"}.items():
        monkeypatch.setenv(f"RERANK_{name}", str(value))
    assert main([]) == 2
    assert "events.parquet" in capsys.readouterr().err
    assert (settings.features_dir / "item_windows.parquet").exists()
    assert not list(settings.features_dir.parent.glob(".features*"))


def test_with_a_later_until_windows_become_empty_after_the_end_of_the_log(tmp_path):
    events = [event(1, at(1), "order", "a", value=1.0)]
    settings = built(tmp_path, "u", events, until=at(60).astimezone(UTC))
    last = [r for r in rows(settings, "item_windows") if r["item_id"] == "a"][-1]
    assert last["event_timestamp"] > at(31)
    assert last["orders_28d"] == 0
