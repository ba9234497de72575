"""Which moments get a slate, its labels, and that what comes later changes no slate that was complete."""

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets.event_slates.rules import SlateRules
from tests.feature_repo.datasets.stokman_source import ADD, ORDER, VISIT, action, adapt, at

DAY = timedelta(days=1)
RULES = SlateRules()
CUT = 18.5  # days: the slates of the first 17 days are complete then, and the warm-up takes 14


def first_day(query):
    return query("SELECT date_trunc('day', min(event_ts)) FROM events")[0][0]


def test_a_slate_is_scored_at_one_of_the_first_acts_of_its_session(month):
    _, query = month
    numbers = query(
        """
        SELECT DISTINCT slate_id, event_id[-6:]::INTEGER AS number
        FROM impressions JOIN events USING (session_id) WHERE event_ts = shown_ts
        """
    )
    by_slate = {}
    for slate, number in numbers:
        by_slate.setdefault(slate, set()).add(number)
    assert len(by_slate) > 100
    assert all(found & set(RULES.acts) for found in by_slate.values())
    assert {min(found) for found in by_slate.values()} >= set(RULES.acts)


def test_the_slates_lie_between_the_warm_up_and_the_last_complete_day(month):
    _, query = month
    [(first, last, end)] = query(
        "SELECT min(shown_ts), max(shown_ts), (SELECT max(event_ts) FROM events) FROM impressions"
    )
    assert first >= first_day(query) + RULES.warm_up_days * DAY
    midnight = end.replace(hour=0, minute=0, second=0, microsecond=0)
    assert midnight - 2 * DAY < last < midnight - DAY  # the day before the last one is not over for its labels


def test_labels_and_totals_are_what_the_person_orders_within_a_day_outside_the_sessions_cart(month):
    _, query = month
    events = query("SELECT user_id, session_id, event_ts, action, item_id FROM events WHERE item_id IS NOT NULL")
    orders, carts = {}, {}
    for user, session, when, act, item in events:
        if act == "order":
            orders.setdefault(user, []).append((when, item))
        if act == "add_to_cart":
            carts.setdefault(session, []).append((when, item))
    slates = query(
        """
        SELECT slate_id, any_value(user_id), any_value(shown_ts), any_value(relevant_total),
            list(item_id), list(item_id) FILTER (label = 1)
        FROM impressions GROUP BY slate_id
        """
    )
    positives = 0
    for slate, user, shown, total, items, labelled in slates:
        cart = {item for when, item in carts.get(slate, ()) if when < shown}
        wanted = {item for when, item in orders[user] if shown <= when < shown + DAY} - cart
        assert total == len(wanted) > 0
        assert set(labelled or ()) == wanted & set(items)
        assert not cart & set(items)
        positives += len(labelled or ())
    assert positives > 50


def test_a_day_has_at_most_its_quota(log_of):
    users = [str(n) for n in range(RULES.per_day + 20)]
    actions = [action(VISIT, at(), user="0")]
    for user in users:
        actions.append(action(ORDER, at(days=13), ["a"], user=user))
        actions += [action(VISIT, at(days=14, minutes=minute), user=user) for minute in range(7)]
        actions.append(action(ORDER, at(days=14, minutes=7), ["a"], user=user))
    actions.append(action(VISIT, at(days=16), user="0"))
    query = log_of(actions=[{**row, "loc_user_id": row["user_id"]} for row in actions])
    slates = query("SELECT date_trunc('day', shown_ts), count(DISTINCT slate_id) FROM impressions GROUP BY 1")
    assert slates == [(at(days=14), RULES.per_day)]


def test_what_the_session_put_into_the_cart_before_is_neither_candidate_nor_wanted(log_of):
    """The slate may be at the order (act 1, 2, 4 or 8 of its session), after three additions or before all of them."""
    actions = [action(ORDER, at(), ["a", "b", "z"], user=str(n)) for n in range(60)]
    for n in range(60):
        for number, item in enumerate(("a", "b", "z")):
            actions.append(action(ADD, at(days=14, minutes=number), [item], user=str(n)))
        actions.append(action(ORDER, at(days=14, minutes=3), ["a", "b", "z"], user=str(n)))
    actions.append(action(VISIT, at(days=16), user="0"))
    query = log_of(actions=[{**row, "loc_user_id": row["user_id"]} for row in actions])
    found = query(
        """
        SELECT epoch(shown_ts - TIMESTAMPTZ '2024-10-15')::INTEGER / 60, list(DISTINCT item_id ORDER BY item_id),
            min(label), max(relevant_total)
        FROM impressions GROUP BY shown_ts ORDER BY 1
        """
    )
    assert found == [(0, ["a", "b", "z"], 1, 3), (1, ["b", "z"], 1, 2)]  # at the 4th act nothing is left to want


def later(table, cut, garble):
    """The actions with those after ``cut`` left out, or with other people and products."""
    early = pc.less(table["date"], pa.scalar(cut, pa.timestamp("us")))
    if not garble:
        return table.filter(early)
    after = table.filter(pc.invert(early))
    backwards = after.take(pa.array(range(after.num_rows - 1, -1, -1)))
    for name in ("user_id", "loc_user_id", "action", "products"):
        after = after.set_column(after.column_names.index(name), name, backwards[name])
    return pa.concat_tables([after, table.filter(early)])


@pytest.mark.parametrize("garble", [False, True])
def test_what_comes_after_a_time_changes_nothing_before_it(month, tmp_path, settings, garble):
    source, query = month
    cut = first_day(query) + CUT * DAY
    changed = tmp_path / "changed"
    changed.mkdir()
    for path in source.iterdir():
        (changed / path.name).write_bytes(path.read_bytes())
    actions = pq.read_table(source / "train_actions.pq")
    pq.write_table(later(actions, cut.replace(tzinfo=None), garble), changed / "train_actions.pq")
    again = adapt(changed, tmp_path / "log", settings)
    complete = first_day(query) + 17 * DAY  # the midnight after the last day that has slates in the shorter log
    for table, time, until in (
        ("events", "received_ts", cut),
        ("items", "valid_from_ts", cut),
        ("impressions", "shown_ts", complete),
    ):
        rows = f"SELECT * FROM {table} WHERE {time} < TIMESTAMPTZ '{until.isoformat()}'"
        assert len(query(rows)) > 100
        assert again(rows) == query(rows)
    if not garble:
        assert again("SELECT max(shown_ts) FROM impressions")[0][0] < complete
