"""Time since what happened to the item, the user and the session."""

from __future__ import annotations

from feature_repo.derived.family import Column, derived, or_nan
from feature_repo.schema import Declaration
from feature_repo.slate import Slate

FEATURES = (
    ("item_age_s", "since the item was first seen", "s"),
    ("item_last_order_age_s", "since anyone ordered the item", "s"),
    ("user_age_s", "since the user was first seen", "s"),
    ("user_last_order_age_s", "since the user's latest order", "s"),
    ("session_age_s", "since the session began", "s"),
    ("session_idle_s", "since the session's latest event", "s"),
)


@derived(version=1, reads=("item_windows", "user_windows", "session_state"), gives=FEATURES)
def ages(slate: Slate, _: Declaration) -> dict[str, Column]:
    now_us = slate.scored_us
    return {
        "item_age_s": (now_us - slate.items["first_seen_us"]) / 1e6,
        "item_last_order_age_s": (now_us - slate.items["last_order_us"]) / 1e6,
        "user_age_s": (now_us - or_nan(slate.user.get("user_first_seen_us"))) / 1e6,
        "user_last_order_age_s": (now_us - or_nan(slate.user.get("user_last_order_us"))) / 1e6,
        "session_age_s": (now_us - or_nan(slate.session.get("session_first_us"))) / 1e6,
        "session_idle_s": (now_us - or_nan(slate.session.get("session_last_us"))) / 1e6,
    }
