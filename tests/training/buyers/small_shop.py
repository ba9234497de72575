"""A small log in which who orders next can be predicted, with its features and Feast registry."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from feature_repo.apply import apply
from feature_repo.build.__main__ import build
from infra.settings import Settings
from tests.small_log import at, event, impression, item, write_log

DAYS = 75
REGULARS, RARE = 12, 8  # users who order every third day, and every twentieth
PARAMS: dict[str, Any] = {
    "seed": 7,
    "windows": {"train": 8, "stopping": 2, "calibration": 2},
    "max_rows": 10_000,
    "rounds": 60,
    "early_stopping_rounds": 20,
    "judged_windows": 2,
    "recall_among_first": [4, 8],
    "lightgbm": {"learning_rate": 0.1, "num_leaves": 7, "min_data_in_leaf": 20},
}


def order_days(user: int) -> list[int]:
    """The days of the log on which a user orders."""
    return [day for day in range(DAYS) if (day % 3 == user % 3 if user < REGULARS else day % 20 == user)]


def basket(user: int, day: int) -> list[str]:
    """The regulars order the same two items always, and a third one that changes."""
    return [f"i{user:02d}", f"j{user:02d}", f"k{(user + day) % 10:02d}"]


def events() -> list[dict[str, Any]]:
    found = []
    for user in range(REGULARS + RARE):
        for day in order_days(user):
            for position, item_id in enumerate(basket(user, day)):
                when = at(day, 36_000 + user + position)
                fields = {"user_id": f"u{user:02d}", "session_id": f"u{user:02d}-{day}", "value": 2.0}
                found.append(event(len(found), when, "order", item_id, **fields))
    return found


def small_shop(folder: Path, more: list[dict[str, Any]] | None = None, until: datetime | None = None) -> Settings:
    """``more``: events beside :func:`events`. ``until``: leave out what happened then or later.

    An item is in the catalog from the day of its first event.
    """
    settings = Settings(
        data_dir=folder / "data",
        state_dir=folder / "var",
        dataset="tiny",
        threads=1,
        redis_url="redis://127.0.0.1:1/0",
    )
    kept = [e for e in [*events(), *(more or [])] if until is None or e["event_ts"] < until]
    first: dict[str, datetime] = {}
    for each in kept:
        first[each["item_id"]] = min(each["event_ts"], first.get(each["item_id"], each["event_ts"]))
    ids = sorted(first)
    write_log(
        settings.log_dir,
        items=[item(each, valid_from_ts=first[each].replace(hour=0, minute=0, second=0)) for each in ids],
        events=kept,
        impressions=[impression("s", 0, at(1), ids[0])],
    )
    build(settings, until or at(DAYS))
    apply(settings)
    return settings
