"""What this session did to the item."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from feature_repo.derived.family import Column, Doubles, Sparse, at_candidates, derived, first_indices
from feature_repo.schema import Declaration
from feature_repo.slate import Row, Slate

FEATURES = (
    ("touched_count", "item events on the item in this session", "count"),
    ("touched_action", "code of the latest of them", "code"),
    ("touched_age_s", "since the latest of them", "s"),
    ("touched_last", "1 if the session's latest item event is on the item", "flag"),
    ("in_cart", "1 if the item is in the cart", "flag"),
)
ACTION_CODES = {"view": 1.0, "like": 2.0, "remove_from_cart": 3.0, "add_to_cart": 4.0, "order": 5.0}
_UNTOUCHED: dict[str, Column] = {
    "touched_count": 0.0,
    "touched_action": 0.0,
    "touched_age_s": math.nan,
    "touched_last": 0.0,
}


@dataclass(frozen=True)
class _Touches:
    """The session's item events, (m,), latest first. ``first``: item -> the index of its latest event."""

    first: dict[str, int]
    codes: Doubles
    timestamps_us: Doubles


def _touches(session: Row) -> _Touches:
    codes = [ACTION_CODES.get(action, 0.0) for action in session["recent_actions"]]
    return _Touches(first_indices(session["recent_items"]), np.array(codes), np.array(session["recent_us"], np.float64))


@derived(version=1, reads=("session_state",), gives=FEATURES)
def session(slate: Slate, _: Declaration) -> dict[str, Column]:
    if slate.session.get("recent_items") is None:
        return dict.fromkeys((*_UNTOUCHED, "in_cart"), math.nan)
    cart = slate.positions_of(slate.session.get("cart_items") or ())
    return {**_touched(slate), "in_cart": Sparse(cart, [1.0] * len(cart), 0.0) if cart else 0.0}


def _touched(slate: Slate) -> dict[str, Column]:
    touches = slate.session.once(_touches)
    positions, at = at_candidates(slate, touches.first)
    if not len(positions):
        return _UNTOUCHED
    recent = slate.session["recent_items"]
    return {
        "touched_count": Sparse(positions, [recent.count(recent[k]) for k in at.tolist()], 0.0),
        "touched_action": Sparse(positions, touches.codes[at], 0.0),
        "touched_age_s": Sparse(positions, (slate.scored_us - touches.timestamps_us[at]) / 1e6, math.nan),
        "touched_last": Sparse(positions, at == 0, 0.0),
    }
