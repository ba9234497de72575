"""The errors of the batch, each a sentence that says what was wrong and what to do.

BatchError
├── BadSubmission  more users than allowed, a user or an item twice, lists of another length
├── NotEnough      fewer users or items are known than were asked for
└── BadTarget      the output cannot be written, or its form is unknown
"""


class BatchError(RuntimeError):
    """Base of the batch's errors."""


class BadSubmission(BatchError):
    """More users than allowed, a user or an item twice, or lists of another length."""


class NotEnough(BatchError):
    """Fewer users or items are known than were asked for."""


class BadTarget(BatchError):
    """The output cannot be written, or its form is unknown."""
