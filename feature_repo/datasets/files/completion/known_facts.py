"""What an event carries of its item: category and price as known strictly before it, and what an order was worth.

Whoever reads an event later reads only the event. What the files say of it themselves stays.
"""

from __future__ import annotations

from feature_repo.datasets.files.staging import Staging
from feature_repo.schema import Table


def complete_facts(staging: Staging, events: Table) -> None:
    """Fill category_id, price and value of ``given_events`` where they are null and ``given_items`` knows them."""
    before = _known(staging)
    bound = events.column("value").maximum
    staging.save(
        "given_events",
        """
        SELECT e.* REPLACE (
            coalesce(e.category_id, i.category_id) AS category_id, coalesce(e.price, i.price) AS price
        ) FROM given_events e ASOF LEFT JOIN (SELECT item_id, valid_from_ts, category_id, price FROM given_items) i
            ON e.item_id = i.item_id AND e.event_ts > i.valid_from_ts
        """,
    )
    worth = "price::DOUBLE * coalesce(quantity, 1)"
    paid = f"CASE WHEN action = 'order' AND {worth} <= {bound!r} THEN {worth} END"
    staging.save("given_events", f"SELECT * REPLACE (coalesce(value, {paid}) AS value) FROM given_events")
    for (name, why), earlier, now in zip(_WHY.items(), before, _known(staging), strict=True):
        staging.note("events", f"values of {name} filled in", now - earlier, why)


_WHY = {
    "category_id": "the item's category was known before the event",
    "price": "the item's price was known before the event",
    "value": "an order without an amount is worth its quantity at its price",
}


def _known(staging: Staging) -> tuple[int, ...]:
    return staging.row(f"SELECT {', '.join(f'count({name})' for name in _WHY)} FROM given_events")
