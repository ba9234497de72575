"""How far the built features look back, and how much they hold."""

from datetime import timedelta

DAY = timedelta(days=1)
SESSION_EXPIRY = timedelta(hours=1)
WINDOWS_DAYS = (1, 7, 28)
HISTORY_LIMIT = 500
RECENT_LIMIT = 50
COMPANION_LIMIT = 30
HALF_LIVES_DAYS = (14, 60, 180)  # of an order's weight in history_decayed_*
BASKET_DECAY = 0.97  # of an order's weight per later basket, in history_basket_decayed
ITEM_REPEATS_EVERY = 7 * DAY
