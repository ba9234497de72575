"""The limits of what the system takes. Each stands here once.

The schema of the log, the adapters, the gates, the API and docs/limits.md read them here. A limit of an early stage is
never wider than that of a later one: what an import or a request may hold, every stage after it can handle.
"""

from __future__ import annotations

from datetime import UTC, datetime

# Strings: an id, a category, a name of a feature, a value of the context.
MAX_TEXT_LENGTH = 200  # characters

# Timestamps of the log, of events and of features.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

# Numbers.
MAX_PRICE = 100_000  # money: of one unit, and of the money paid in one event, unless a declaration has max_price
MAX_MONEY = 9_999_999_999.99  # what a declaration may raise it to: a DECIMAL(12,2) holds no more
MAX_QUANTITY = 10_000
MAX_POSITION = 100_000
MAX_LABEL = 4
MAX_FLOAT32 = 3.4028234663852886e38

# Lists.
MAX_SLATE_ITEMS = 10_000  # candidates of one slate of a log: LightGBM takes no longer query group
MAX_ITEMS = 2_000  # candidates of one request
MAX_EVENTS = 1_000  # events of one request
MAX_ITEM_CHANGES = 1_000  # changes of items of one request
MAX_K = 200  # items that one request may ask for, of those that a recommender finds itself
MAX_FILTER_VALUES = 100  # categories, shops or brands of one filter

# Requests.
MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_DEADLINE_MS = 60_000
