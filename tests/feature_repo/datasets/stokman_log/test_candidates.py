"""The candidates of a sample's slates, compared with loops over the events that lie before each slate."""

from collections import Counter, defaultdict
from datetime import timedelta

import pytest

from feature_repo.datasets.event_slates.rules import SlateRules
from tests.feature_repo.datasets.stokman_source import adapt

RULES = SlateRules()
DAY = timedelta(days=1)
TOUCHES = ("view", "like", "add_to_cart", "order")


class Events:
    """Of one log: (when, user, session, action, item) in the order of time, and the category of each item."""

    def __init__(self, query):
        self.rows = query(
            """
            SELECT event_ts, user_id, session_id, action, item_id FROM events
            WHERE item_id IS NOT NULL ORDER BY event_ts, event_id
            """
        )
        self.category = dict(query("SELECT DISTINCT item_id, category_id FROM items"))

    def orders(self, first, end):
        return [row for row in self.rows if row[3] == "order" and first <= row[0] < end]


def best(scores, limit):
    """Items by their score, the highest first; equal scores by the item."""
    ranked = sorted(scores, key=lambda item: (tuple(-part for part in scores[item]), item))
    return set(ranked[:limit])


def expected(events, user, shown):
    midnight = shown.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - midnight.weekday() * DAY
    counts, touches, latest, ordered_at = Counter(), Counter(), {}, {}
    for when, who, _, act, item in events.rows:
        if who != user or when >= shown:
            continue
        if act == "order":
            counts[item] += 1
            ordered_at[item] = when.timestamp()
        if act in TOUCHES and when >= shown - RULES.touched_days * DAY:
            touches[item] += 1
            latest[item] = when.timestamp()
    recent = {item: (when,) for item, when in latest.items()}
    found = best({item: (n, ordered_at[item]) for item, n in counts.items()}, RULES.from_orders)
    found |= best(recent, RULES.from_touched)
    sold = Counter(row[4] for row in events.orders(midnight - RULES.popular_days * DAY, midnight))
    found |= best({item: (n,) for item, n in sold.items()}, RULES.from_shop)
    liking = defaultdict(lambda: (0, 0.0))
    for item, n in touches.items():
        total, last = liking[events.category[item]]
        liking[events.category[item]] = (total + n, max(last, latest[item]))
    for category in best(liking, RULES.categories):
        there = {item: (n,) for item, n in sold.items() if events.category[item] == category}
        found |= best(there, RULES.from_category)
    baskets = defaultdict(set)
    for _, _, session, _, item in events.orders(monday - RULES.together_days * DAY, monday):
        baskets[session].add(item)
    together = Counter()
    for anchor in best(recent, RULES.anchors):
        for basket in baskets.values():
            together.update(basket - {anchor} if anchor in basket else ())
    return found | best({item: (n,) for item, n in together.items()}, RULES.from_together)


@pytest.fixture(scope="module")
def slates(month):
    _, query = month
    return Events(query), query(
        "SELECT user_id, session_id, shown_ts, list(item_id ORDER BY input_position) FROM impressions GROUP BY ALL"
    )


def test_each_slate_holds_the_candidates_known_strictly_before_it_without_its_cart(slates):
    events, found = slates
    sizes = []
    for user, session, shown, items in found:
        cart = {r[4] for r in events.rows if r[2] == session and r[3] == "add_to_cart" and r[0] < shown}
        assert set(items) == expected(events, user, shown) - cart
        assert len(set(items)) == len(items)
        sizes.append(len(items))
    assert len(sizes) > 100
    assert len(set(sizes)) > 20


def test_the_order_of_a_slate_says_nothing_about_its_labels(month):
    _, query = month
    [(mean, count)] = query(
        """
        SELECT avg(input_position / (n - 1)) FILTER (label = 1), count(*) FILTER (label = 1)
        FROM impressions JOIN (SELECT slate_id, count(*) AS n FROM impressions GROUP BY 1) USING (slate_id)
        """
    )
    assert abs(mean - 0.5) < 4 * 0.29 / count**0.5  # four standard errors of a uniform mean


def test_the_coverage_of_all_sources_and_of_each_is_printed(month, settings, out, capsys):
    adapt(month[0], out, settings)
    said = capsys.readouterr().err.rpartition("that they hold: all ")[2]
    shares = dict(part.split() for part in ("all " + said.strip()).split(", "))
    assert list(shares) == ["all", "category", "orders", "shop", "together", "touched"]
    assert all(0 < float(share) <= float(shares["all"]) for share in shares.values())
