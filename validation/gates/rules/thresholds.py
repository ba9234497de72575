"""The thresholds of the log's rules. Each stands here once; docs/data-quality.md says them.

They are chosen so that a small log is not blocked by chance.
"""

from __future__ import annotations

from datetime import timedelta

# Shares of the rows of a table that may break a rule.
CLOCK_SKEW_SHARE = 0.01  # events that happened after they were received
UNKNOWN_CATEGORY_SHARE = 0.10
UNKNOWN_PRICE_SHARE = 0.25

# Ids of two tables.
MIN_IDS = 20  # fewer ids of a table may all differ from those of another one by chance
LITTLE_OVERLAP = 0.10  # of the ids of impressions: fewer in events is a warning
HINTED_SHARE = 0.5  # of the ids of impressions: that a simple change would make so many match is no chance
MIN_HINTED = 3  # ids
MAX_SESSION_USERS = 5  # a device that several people use has a few

# Times.
MIN_TIMES = 2_000  # events or slates: so many within SHORT_LOG are not a log of that length
SHORT_LOG = timedelta(minutes=10)
UNDATED_SHARE = 0.10  # of the rows of impressions: shown before the catalog knew the item

# Prices.
MIN_PRICES = 20
LOST_SHARE = 0.5  # of the known prices
SMALL_PRICE = 0.10  # most prices equal to one value up to this are rounded
