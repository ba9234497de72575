"""What a request can be refused for. :mod:`serving.api.error_answers` gives each its status and body.

ServingError
├── InvalidRequest    422  the body is not JSON, not of the documented form, or has unknown names
├── UnknownItem       404  the item is known to neither the sources nor the feature store
├── BodyTooLarge      413
├── WrongContentType  415
├── WrongEncoding     415  the body is compressed in a way that is not understood
├── BodyTimeout       408  the body did not arrive within the deadline
├── NotExplainable    409  the model in service is a baseline
├── Busy              503  other lists are being explained
├── Overloaded        503  the request could not be answered within its deadline
├── NotStored         503  a Redis that what is sent goes to is away or too slow
│   ├── EventsNotStored
│   └── ItemsNotStored
└── NotReady          503  no model, or a model that this scorer must refuse
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MAX_DETAILS = 20

Location = tuple[str | int, ...]
"""The keys and indices from the body's root to a value; () is the body itself."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where."""

    location: Location
    message: str


class ServingError(Exception):
    """Base of every refusal."""

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class InvalidRequest(ServingError):
    """The body is not JSON, not of the documented form, or has unknown names."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        more = f", the first {MAX_DETAILS} follow" if len(problems) > MAX_DETAILS else ""
        super().__init__(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the request{more}", problems)


class UnknownItem(ServingError):
    """Neither the sources nor the feature store know the item."""


class BodyTooLarge(ServingError):
    """The body has more bytes than a request may have."""


class WrongContentType(ServingError):
    """The body is not application/json."""


class WrongEncoding(ServingError):
    """The body has another content-encoding than gzip."""


class BodyTimeout(ServingError):
    """The body was not complete when the deadline was over."""


class NotExplainable(ServingError):
    """The model in service is a baseline, whose scores are not sums."""


class Busy(ServingError):
    """Other lists are being explained, and the deadline is over."""


class Overloaded(ServingError):
    """Too many requests are ahead of this one. Nothing was done for it; it may be sent again."""


class NotStored(ServingError):
    """What is sent cannot be stored now. It may be sent again: each entry counts once. ``what``: its name."""

    what = "the entries"


class EventsNotStored(NotStored):
    """The events' Redis is away or too slow."""

    what = "the events"


class ItemsNotStored(NotStored):
    """The events' Redis or the feature store is away or too slow."""

    what = "the changes"


class NotReady(ServingError):
    """There is no model, or only a model that this scorer must refuse."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("this scorer has no model in service", [Problem((), reason) for reason in reasons])
