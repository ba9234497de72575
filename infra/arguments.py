"""Types of the commands' arguments. argparse prints their messages, while it drops those of a ValueError."""

from __future__ import annotations

import argparse
from datetime import datetime


def timestamp(text: str) -> datetime:
    """ISO 8601 with a time zone. Raises ArgumentTypeError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a timestamp like 2017-12-01T00:00:00Z") from None
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} needs a time zone, as in 2017-12-01T00:00:00Z")
    return found


def timestamps(text: str) -> list[datetime]:
    """Separated by commas. Raises ArgumentTypeError."""
    return [timestamp(each.strip()) for each in text.split(",")]


def positive(text: str) -> int:
    """A whole number of at least 1. Raises ArgumentTypeError."""
    try:
        found = int(text)
    except ValueError:
        found = 0
    if found < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return found
