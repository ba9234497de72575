"""What can be wrong with the audit's input.

UnusableInput
├── NoRecords      there is no logged score to compare, or none of the present contract
└── BrokenRecords  a file of the score log that cannot be read, or a matrix of another width
"""

from __future__ import annotations


class UnusableInput(ValueError):
    """The message names the folder, file or request, and what to do."""


class NoRecords(UnusableInput):
    pass


class BrokenRecords(UnusableInput):
    pass
