"""What an answer need not wait for: done soon, at the latest when the answer is on its way or cannot be sent."""

from __future__ import annotations

from collections.abc import Callable

Work = Callable[[], object]
Later = Callable[[Work], object]
"""Takes work, and has it done."""


def at_once(work: Work) -> None:
    work()
