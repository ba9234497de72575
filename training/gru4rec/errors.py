"""What the commands of this package refuse; each prints the error and exits with 2.

SequenceError
├── BadConfig      an unknown key, or a value that the key does not allow
├── BadLog         a source of sessions that is missing or holds what its format forbids
├── SplitError     what preprocess left is missing, broken, or leaves nothing to train or to test on
└── BadCheckpoint  a checkpoint that is missing or is not of this program
"""

from __future__ import annotations


class SequenceError(Exception):
    """Base of everything refused here."""


class BadConfig(SequenceError):
    """A setting. Names the key and what it allows."""


class BadLog(SequenceError):
    """A source of sessions. Names the file and, where known, the column and the row (from 1)."""


class SplitError(SequenceError):
    """train, val or test. Names the file or the filter."""


class BadCheckpoint(SequenceError):
    """A checkpoint. Names the file."""
