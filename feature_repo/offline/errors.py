"""Errors of a retrieval.

OfflineError
├── BadSource       the files of a feature view are missing or unreadable, or lack a column
└── BadEntityFrame  the caller's rows lack a key or the timestamp, or a type cannot be compared
"""

from __future__ import annotations


class OfflineError(ValueError):
    """The message names the feature view or the column of the frame, and what to do."""


class BadSource(OfflineError):
    pass


class BadEntityFrame(OfflineError):
    pass
