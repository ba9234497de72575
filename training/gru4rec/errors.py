"""Errors of the commands of this package. A command prints the error and exits with 2.

SequenceError
├── BadConfig      an unknown key, or a value that the key does not allow
├── BadLog         a source of sessions is missing or has values that its format forbids
├── SplitError     the output of preprocess is missing or broken, or there is nothing to train or test on
└── BadCheckpoint  a checkpoint is missing or was not written by this program
"""

from __future__ import annotations


class SequenceError(Exception):
    """Base of this package's errors."""


class BadConfig(SequenceError):
    """A bad setting. The message names the key and the allowed values."""


class BadLog(SequenceError):
    """A bad source of sessions. The message names the file and, if known, the column and the row (from 1)."""


class SplitError(SequenceError):
    """A bad train, val or test split. The message names the file or the filter."""


class BadCheckpoint(SequenceError):
    """A bad checkpoint. The message names the file."""
