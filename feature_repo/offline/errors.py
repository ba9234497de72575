"""What can be wrong with a retrieval.

OfflineError
├── BadSource       a feature view's files: missing, unreadable, without a column
└── BadEntityFrame  the caller's rows: without a key or timestamp, of a type that cannot be compared
"""

from __future__ import annotations


class OfflineError(ValueError):
    """The message names the feature view or the frame's column, and what to do."""


class BadSource(OfflineError):
    pass


class BadEntityFrame(OfflineError):
    pass
