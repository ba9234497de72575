"""Queries of users whose orders are written by hand."""

from collections.abc import Sequence

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import Queries, queries_of_rows
from feature_repo.definitions.extents import HALF_LIVES_DAYS
from feature_repo.slate import Row

DAY_US = 86_400_000_000
NOW_US = 1000 * DAY_US
CODES = ItemCodes.of_ids(["a", "b", "c"])


def asked(*users: Sequence[tuple[str, int, float, float]], codes: ItemCodes = CODES) -> Queries:
    """Each order list: (item, orders, days since the first, days since the latest). Orders count undecayed."""
    rows = [
        Row(
            dict(
                history_items=[each[0] for each in orders],
                history_categories=[""] * len(orders),
                history_counts=[each[1] for each in orders],
                history_first_us=[NOW_US - round(each[2] * DAY_US) for each in orders],
                history_last_us=[NOW_US - round(each[3] * DAY_US) for each in orders],
                **{f"history_decayed_{days}d": [float(each[1]) for each in orders] for days in HALF_LIVES_DAYS},
            )
        )
        for orders in users
    ]
    return queries_of_rows(codes, [NOW_US] * len(rows), rows, [Row()] * len(rows), [{}] * len(rows))
