"""Errors of the audit's input.

UnusableInput
├── NoRecords      there is no logged score to compare, or none with the current contract
└── BrokenRecords  a file of the score log cannot be read, or a matrix has another width
"""

from __future__ import annotations


class UnusableInput(ValueError):
    """The message names the folder, file or request, and what to do."""


class NoRecords(UnusableInput):
    pass


class BrokenRecords(UnusableInput):
    pass
