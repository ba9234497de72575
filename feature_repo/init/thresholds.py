"""All thresholds of the guesses. A share is of the rows or values that were looked at."""

from __future__ import annotations

# ------------------------------------------------------------------------------------------- reading

SAMPLE_ROWS = 200_000  # of one kind of files at most
BLOCK_ROWS = 1_000  # the sample consists of whole blocks, so that lists and sessions stay together
HEAD_BYTES = 256 * 1024  # of a text file, to find out its delimiter
PROBES = 16  # places in a text file that are looked at to find out its encoding
PROBE_BYTES = 64 * 1024
SAME_FIELDS = 0.95  # of the lines have as many fields as the delimiter says

# ------------------------------------------------------------------------------------------- columns

TYPE_SHARE = 0.995  # of the values are numbers, times, ... : it is a column of them
FEW_VALUES = 60  # distinct values that are listed one by one
LIST_SHARE = 0.3  # of the values hold the separator
MANY_DATES = 20_000  # distinct texts that are tried as dates

# Seconds since 1970 from 1995 to 2040; other units are multiples.
EPOCH_SECONDS = (788_918_400, 2_208_988_800)
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

PLAUSIBLE_YEARS = (1995, 2040)  # of a time that is one already: others are a mistake in its unit

# ------------------------------------------------------------------------------------------- tables

KEY_SHARE = 0.999  # distinct values by rows: unique but for a few repeated rows
JOINED = 0.9  # of one file's values stand in the other: it refers to it
FEW_OVERLAP = 0.5  # of the ids stand in the other table: said, because models see little then
SHARED_SESSIONS = 0.05  # of the sessions are of several users
SLATE_ROWS = 1.5  # rows per list at least, on average
SLATE_UNIQUE = 0.97  # of (list, item) and of (list, position) are unique
CHOSEN = 0.8  # of the lists hold the value of the column that names what was chosen
CONSTANT = 0.98  # of the lists have one value: it belongs to the list

# ------------------------------------------------------------------------------------------- actions

ACTIONS_KNOWN = 0.5  # of the rows have an action whose word is known
MANY_ACTIONS = 40  # distinct texts of a column of actions at most

# ------------------------------------------------------------------------------------------- leaks

LEAK_PRECISION = 0.9  # of the rows that have a value are positives: it follows the outcome
LEAK_AUC = 0.97  # ranks the positives first on its own: it follows the outcome
SUSPICIOUS_AUC = 0.7  # the same, for a name that speaks of what happens afterwards
LEAK_ROWS = 20  # rows with a value, at least, to judge

# ------------------------------------------------------------------------------------------- slates

WARM_UP_DAYS = 14
WARM_UP_SHARE = 0.25  # of the time span at most
SESSION_GAP_MINUTES = 30.0

# ------------------------------------------------------------------------------------------- ratings and prices

LIKED_OF_SCALE = 0.8  # of the highest rating: from there on the user liked it
LIKED_SHARES = (0.1, 0.8)  # of the ratings that are liked; else the scale is used otherwise
SMALL_PRICE = 1.0  # where no price reaches it, cents lose digits
TINY_PRICE = 0.005  # rounded to cents it is nothing
FIXED = 1.2  # values per item at most on average: the column belongs to the item
FEW_NAMES = 20  # distinct texts that are an attribute in any case
ATTRIBUTE_SHARE = 0.5  # distinct texts by items at most: more are names or ids
FEW_ORDERS = 3_000  # rows: fewer make too few lists, so that carts are predicted, too
