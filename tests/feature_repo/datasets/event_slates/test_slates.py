"""Which act of a session gets the slate, popular items for short slates, and how much slates hold.

The other sources of candidates are tested on stokman's log, in tests/feature_repo/datasets/stokman_log.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from feature_repo.datasets.event_slates.candidates import CANDIDATE_SOURCES, open_candidates
from feature_repo.datasets.event_slates.coverage import Coverage, coverage, why_not_more
from feature_repo.datasets.event_slates.rules import SlateRules, listed
from feature_repo.datasets.event_slates.slates import impressions_query, sample_slates

START = datetime(2024, 5, 1, 10, tzinfo=UTC)
Act = tuple[str, int, int, str, str]  # person, day, minute, action, item


def sampled(rules: SlateRules, acts: list[Act], *sources: str) -> duckdb.DuckDBPyConnection:
    """The slates of ``acts`` with the candidates of ``sources``. A person has a session a day."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("CREATE TABLE acts (person VARCHAR, day INT, t TIMESTAMPTZ, action VARCHAR, item_id VARCHAR)")
    rows = [(who, day, START + timedelta(days=day, minutes=minute), act, item) for who, day, minute, act, item in acts]
    connection.executemany("INSERT INTO acts VALUES (?, ?, ?, ?, ?)", rows)
    connection.execute(
        """
        CREATE VIEW session_acts AS
        SELECT *, person || '-' || day AS session_id, min(t) OVER (PARTITION BY person, day) AS opened_at,
            row_number() OVER (PARTITION BY person, day ORDER BY t) AS number FROM acts;
        CREATE VIEW products AS
        SELECT DISTINCT item_id, NULL::VARCHAR AS category_id, NULL::VARCHAR AS shop_id FROM acts
        """
    )
    sample_slates(connection, rules)
    open_candidates(connection, rules)
    for source in sources:
        CANDIDATE_SOURCES[source](connection, rules)
    return connection


def sessions_of(*lengths: int) -> list[Act]:
    """On day 1, one session of each length that ends with an order; day 9 ends the log."""
    acts = [
        (f"u{length}", 1, minute, "order" if minute == length - 1 else "view", "a")
        for length in lengths
        for minute in range(length)
    ]
    return [*acts, ("end", 9, 0, "order", "a")]


LENGTHS = tuple(range(1, 40))


def test_every_session_gets_a_slate_at_an_act_that_it_has() -> None:
    connection = sampled(SlateRules(warm_up_days=0, every_session=True), sessions_of(*LENGTHS))
    found = dict(connection.execute("SELECT person, (minute(t) + 1)::INTEGER FROM slates").fetchall())
    assert found.keys() == {f"u{length}" for length in LENGTHS}
    for length in LENGTHS:
        assert found[f"u{length}"] in {act for act in (1, 2, 4, 8) if act <= length}
    assert set(found.values()) == {1, 2, 4, 8}


def test_else_a_session_that_is_shorter_than_its_act_gets_none() -> None:
    connection = sampled(SlateRules(warm_up_days=0), sessions_of(*LENGTHS))
    found = dict(connection.execute("SELECT person, (minute(t) + 1)::INTEGER FROM slates").fetchall())
    assert 10 < len(found) < len(LENGTHS)
    assert all(act <= int(person[1:]) for person, act in found.items())


HISTORY: list[Act] = [
    *(("p", day, 0, "order", "old") for day in range(1, 4)),  # three, more than a week before
    *(("p", 15, minute, "order", item) for minute, item in enumerate(["new", "new", "own", "late"])),
    ("u", 16, 0, "order", "own"),
    ("u", 17, 0, "order", "wanted"),
    ("end", 25, 0, "order", "x"),
]


@pytest.mark.parametrize(
    ("fill_to", "popular"),
    [(0, []), (1, []), (2, ["new"]), (3, ["late", "new"]), (4, ["late", "new", "old"]), (9, ["late", "new", "old"])],
)
def test_a_short_slate_is_filled_with_the_bestsellers_of_the_week_and_then_of_all_days(
    fill_to: int, popular: list[str]
) -> None:
    """The user's own order is the only other candidate. The order of the slate's own day is not known before it."""
    rules = SlateRules(warm_up_days=16, every_session=True, fill_to=fill_to)
    connection = sampled(rules, HISTORY, "orders", "popular")
    assert connection.execute("SELECT person FROM slates").fetchall() == [("u",)]
    found = connection.execute("SELECT source, item_id FROM candidates ORDER BY ALL").fetchall()
    assert found == [("orders", "own"), *(("popular", item) for item in popular)]


def test_coverage_is_the_share_of_what_was_wanted_by_each_source_and_by_all() -> None:
    acts: list[Act] = [*HISTORY, ("u", 17, 1, "order", "own"), ("u", 17, 2, "order", "new")]
    connection = sampled(SlateRules(warm_up_days=16, fill_to=2, acts=(1,)), acts, "orders", "popular")
    found = coverage(connection)
    assert found == Coverage(1, 3, 2 / 3, {"orders": 1 / 3, "popular": 1 / 3})
    assert str(found).endswith("share of the 3 ordered items that they hold: all 0.667, orders 0.333, popular 0.333")
    rows = connection.execute(f"SELECT item_id, label FROM ({impressions_query(SlateRules())}) ORDER BY 1").fetchall()
    assert rows == [("new", 1), ("own", 1)]


def test_it_is_said_what_each_rule_leaves_of_the_sessions() -> None:
    rules = SlateRules(warm_up_days=16, per_day=5)
    said = why_not_more(sampled(rules, HISTORY), rules)
    assert said.startswith("of 7 sessions 5 are in the first 16 days (warm_up_days), 1 begin too late for 24 hours")
    assert "0 are of users without any order (targets), and a day has at most 5 slates (per_day)" in said


def test_actions_are_names_or_codes() -> None:
    assert listed(("order", "it's")) == "'order', 'it''s'"
    assert listed((5, 2)) == "5, 2"


@pytest.mark.parametrize(("hours", "days"), [(1, 1), (24, 1), (25, 2), (168, 7)])
def test_the_labels_of_a_day_are_known_whole_days_later(hours: int, days: int) -> None:
    assert SlateRules(label_hours=hours).label_days == days
