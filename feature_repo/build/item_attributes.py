"""The view item_attributes: the items table, with one row at the UTC midnight after a change."""

from __future__ import annotations

from datetime import datetime

from feature_repo.build.log_views import midnights
from feature_repo.schema import Declaration, item_attributes_view


def query(until: datetime, declaration: Declaration) -> str:
    view = item_attributes_view(declaration)
    changes = "SELECT item_id, date_trunc('day', valid_from_ts) + INTERVAL 1 DAY AS midnight FROM items"
    columns = ", ".join(f"items.{column.name}" for column in view.columns)
    return f"""
        WITH grid AS ({midnights(changes, "item_id", until, view.ttl / 2)})
        SELECT grid.item_id, midnight AS event_timestamp, {columns}
        FROM grid ASOF JOIN items ON grid.item_id = items.item_id AND grid.midnight > items.valid_from_ts
    """
