"""The view item_attributes: the items table, with one row at the UTC midnight after a change.

A live change has one more row, 1 µs after its acceptance, with the attributes that were served from then on
(:mod:`feature_repo.live.items`).
"""

from __future__ import annotations

from datetime import datetime

from feature_repo.build.log_views import midnights
from feature_repo.definitions.views import item_attributes_view
from feature_repo.schema import Declaration


def query(until: datetime, declaration: Declaration) -> str:
    view = item_attributes_view(declaration)
    changes = "SELECT item_id, date_trunc('day', valid_from_ts) + INTERVAL 1 DAY AS midnight FROM items"
    of_items = ", ".join(f"items.{column.name}" for column in view.columns)
    as_served = ", ".join(column.name for column in view.columns)
    return f"""
        WITH grid AS ({midnights(changes, "item_id", until, view.ttl / 2)}),
        live AS (SELECT *, received_ts + INTERVAL 1 MICROSECOND AS midnight FROM item_changes)
        SELECT grid.item_id, midnight AS event_timestamp, {of_items}
        FROM grid ASOF JOIN items ON grid.item_id = items.item_id AND grid.midnight > items.valid_from_ts
        UNION ALL
        SELECT item_id, midnight, {as_served} FROM live ANTI JOIN grid USING (item_id, midnight)
    """
