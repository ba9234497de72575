"""The view item_repeats equals a plain-Python definition of it, on a small random log and on one worked by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import datetime, timedelta

import pytest

from feature_repo.build.log_views import snapshots
from feature_repo.definitions.extents import ITEM_REPEATS_EVERY
from tests.feature_repo.test_build import DAYS, built, grouped, orders_of, random_events, rows
from tests.small_log import at, event

DAY_S = 86_400


def repeats_before(events: list[dict], midnight: datetime) -> list[tuple[str, datetime, float | None, int]]:
    """(item, time, seconds since the user's basket before with it, size of the basket) of each basket with an item."""
    ever = orders_of(events, midnight, 10_000)
    sizes = {
        k: len(v) for k, v in grouped(ever, lambda e: (e["user_id"], e["session_id"], e["received_ts"].date())).items()
    }
    found = []
    for (_, name), own in grouped(ever, lambda e: (e["user_id"], e["item_id"])).items():
        baskets = grouped(own, lambda e: (e["user_id"], e["session_id"], e["received_ts"].date()))
        firsts = sorted((min(e["received_ts"] for e in held), sizes[key]) for key, held in baskets.items())
        for i, (time, size) in enumerate(firsts):
            found.append((name, time, (time - firsts[i - 1][0]).total_seconds() if i else None, size))
    return found


def test_item_repeats_equal_their_definition_at_every_row(tmp_path):
    events = random_events(1)
    found = rows(built(tmp_path, "a", events), "item_repeats")
    midnights = snapshots(ITEM_REPEATS_EVERY, min(e["received_ts"] for e in events), at(DAYS))
    assert {row["event_timestamp"] for row in found} == set(midnights)
    for row in found:
        midnight, category = row["event_timestamp"], {"a": "x", "b": "x"}.get(row["item_id"], "y")
        recent = midnight - timedelta(days=28)
        bought = defaultdict(list)
        for name, *rest in repeats_before(events, midnight):
            bought[name].append(rest)
        alike = [
            each for name, own in bought.items() if {"a": "x", "b": "x"}.get(name, "y") == category for each in own
        ]
        own = bought[row["item_id"]]
        gaps = [gap for _, gap, _ in own if gap is not None]
        assert row["repeats_per_user"] == pytest.approx((len(gaps) + 0.5) / (len(own) - len(gaps) + 2), rel=1e-6)
        for name, counted in (("repeat_lift_28d", own), ("category_repeat_lift_28d", alike)):
            again = sum(time >= recent and gap is not None for time, gap, _ in counted)
            expected = sum(
                0.5 ** ((recent - time).total_seconds() / DAY_S / 60) for time, *_ in counted if time < recent
            )
            assert row[name] == pytest.approx((again + 1) / (expected + 2), rel=1e-6)
        logs = [math.log1p(gap / DAY_S) for gap in gaps]
        of_category = [math.log1p(gap / DAY_S) for _, gap, _ in alike if gap is not None]
        mean = sum(of_category) / len(of_category) if of_category else 0.0
        interval = DAY_S * math.expm1((sum(logs) + 5 * mean) / (len(logs) + 5))
        if of_category:
            assert row["repeat_interval_s"] == pytest.approx(interval, rel=1e-5)
        shares = [1 / size for time, _, size in own if time >= recent]
        assert row["order_basket_share_28d"] == (pytest.approx(sum(shares) / len(shares), rel=1e-6) if shares else None)


def test_an_item_bought_weekly_has_repeats_and_one_bought_once_has_none(tmp_path):
    weekly = [event(i, at(7 * i), "order", "a", user_id="u", session_id=f"s{i}", category_id="x") for i in range(6)]
    once = [
        event(50 + i, at(i), "order", "d", user_id=user, session_id=user, category_id="y")
        for i, user in enumerate("vw")
    ]
    last = {row["item_id"]: row for row in rows(built(tmp_path, "b", weekly + once), "item_repeats")}
    assert last["a"]["repeats_per_user"] == pytest.approx(5.5 / 3)
    assert last["a"]["repeat_interval_s"] == pytest.approx(7 * DAY_S, rel=1e-6)
    assert last["d"]["repeats_per_user"] == pytest.approx(0.5 / 4)
    assert last["d"]["repeat_interval_s"] == pytest.approx(7 * DAY_S, rel=1e-6)  # of all items: nobody bought it again


def test_lines_of_one_basket_are_no_repeats_and_nobody_repeats_without_an_interval(tmp_path):
    lines = [event(i, at(1), "order", "a", user_id="u", session_id="s", category_id="x") for i in range(3)]
    (row,) = {r["item_id"]: r for r in rows(built(tmp_path, "c", lines), "item_repeats")}.values()
    assert row["repeats_per_user"] == pytest.approx(0.5 / 3)
    assert row["repeat_interval_s"] is None
