"""Clicks with unix seconds and several values in one cell: near the shape of YooChoose and of news and video portals.

``clicks-2024-03-04.jsonl`` …  one file per UTC day, a JSON object per line: ``ts`` (unix s), ``sid``, ``uid``, ``item``
                               (all integers), ``cats`` (``"12|40|7"``, the main one first), ``pos_in_session``, ``ms``
                               (time on the page, milliseconds)

Truth: an item's quality, a drift that starts high when an item is new and falls within days, and the taste of the
session for the item's categories: half of the user's own, and an intent of this session. The next click is drawn by
exp(utility). The oracle is judged by the last click of each session of the last 15 % that has at least three:
candidates are what the user clicked most often before, the items of this session, the most popular ones of their main
categories, and of all.

Oddities: no other action than a click; 15 % have no ``uid`` (the key is missing, or null), some sessions cross midnight
and stand in two files, 3 % of the clicks repeat the item clicked before, 0.5 % of the lines stand there twice, ``cats``
is empty at times, a session of one click is common, the last line of a file has no line end.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.shapes.drawing import DAY_US, SECOND_US, Doubles, heavy_tail, instants, picked, stream, tastes, wandering
from tests.shapes.ids import SESSION, USER, Texts, named
from tests.shapes.slates import Acts, Slates, next_slates
from tests.shapes.truth import Truth, plain_truth

FULL, SMALL = 8_000, 800  # sessions
START_US = 1_709_510_400_000_000  # 2024-03-04 UTC
DAYS = 42
CATEGORIES = 24
ANONYMOUS = 0.15
FIRST_SESSION = 9_000_000


def write(folder: Path, *, seed: int = 7, size: int = FULL) -> Truth:
    """``size``: sessions. Writes the files of the module's docstring into ``folder``."""
    rng = stream(seed, "clicks")
    truth, visitor = _world(seed, size)
    begin = instants(rng, size, START_US, DAYS)
    first_session = len(truth.who) - size
    anonymous = rng.random(size) < ANONYMOUS
    clicks: list[tuple[int, int, int, int]] = []  # session, µs, item, number in the session
    for session in range(size):
        us = int(begin[session])
        value = truth.of_all_items(first_session + session, us)
        previous = -1
        for number in range(min(int(rng.geometric(0.3)), 20)):
            if previous < 0 or rng.random() > 0.03:
                previous = int(picked(rng, value, 1)[0])
            clicks.append((session, us, previous, number))
            us += int(rng.integers(3, 300)) * SECOND_US
    _write_files(folder, truth, clicks, visitor, anonymous, rng)
    user = np.where(anonymous, "", np.char.replace(truth.who[visitor], USER, ""))
    return replace(truth, slates={"next click": _next_clicks(truth, clicks, user)})


def _world(seed: int, sessions: int) -> tuple[Truth, Any]:
    """The truth, and (sessions,) the user of each."""
    rng = stream(seed, "items")
    users, items = max(sessions // 8, 20), int(np.clip(sessions // 16, 150, 1_200))
    taste = tastes(rng, users, CATEGORIES, 3.0)
    visitor = rng.choice(users, size=sessions, p=heavy_tail(rng, users, 0.8))
    intent = 0.5 * taste[visitor] + tastes(rng, sessions, CATEGORIES, 4.0, narrow=0.1)
    new = np.where(rng.random(items) < 0.4, rng.integers(DAYS, size=items), -60)
    age = np.arange(DAYS)[:, None] - new
    drift = np.where(age >= 0, 2.0 * np.exp(-np.maximum(age, 0) / 6), -50.0) + wandering(rng, DAYS, items, 0.3)
    truth = plain_truth(
        who=np.concatenate(
            [named(USER, 40_001 + 11 * np.arange(users)), named(SESSION, FIRST_SESSION + np.arange(sessions))]
        ),
        items=(200_000 + np.sort(rng.choice(90_000, size=items, replace=False))).astype(np.str_),
        quality=rng.normal(scale=0.8, size=items),
        weights=np.vstack([taste, intent]),
        loadings=_categories(rng, items),
        start_us=START_US,
        drift=drift,
    )
    return truth, visitor


def _categories(rng: np.random.Generator, items: int) -> Doubles:
    """(items, CATEGORIES): 1 for the main one, 0.4 for up to two others."""
    found = np.zeros((items, CATEGORIES))
    for item in range(items):
        several = rng.choice(CATEGORIES, size=int(rng.integers(1, 4)), replace=False)
        found[item, several] = [1.0, 0.4, 0.4][: len(several)]
    return found


def _write_files(
    folder: Path,
    truth: Truth,
    clicks: list[tuple[int, int, int, int]],
    visitor: Any,
    anonymous: Any,
    rng: np.random.Generator,
) -> None:
    cells = [
        "|".join(str(7 + 3 * kind) for kind in np.argsort(-of, kind="stable")[: int((of > 0).sum())])
        for of in truth.loadings
    ]
    lines: dict[int, list[str]] = defaultdict(list)
    for session, us, item, number in sorted(clicks, key=lambda click: click[1]):
        body: dict[str, Any] = {"ts": us // SECOND_US, "sid": FIRST_SESSION + session}
        if not anonymous[session]:
            body["uid"] = 40_001 + 11 * int(visitor[session])
        elif session % 2:
            body["uid"] = None
        body |= {
            "item": int(truth.items[item]),
            "cats": cells[item] if rng.random() > 0.01 else "",
            "pos_in_session": number + 1,
            "ms": int(rng.integers(400, 90_000)),
        }
        lines[us // DAY_US] += [json.dumps(body)] * (2 if rng.random() < 0.005 else 1)
    folder.mkdir(parents=True, exist_ok=True)
    for day, of_day in lines.items():
        (folder / f"clicks-{np.datetime64(day, 'D')}.jsonl").write_text("\n".join(of_day))


def _next_clicks(truth: Truth, clicks: list[tuple[int, int, int, int]], user: Texts) -> Slates:
    """The last click of each session with three or more, after the others of the session."""
    by_session: dict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
    for click in clicks:
        by_session[click[0]].append(click)
    last = {session: of[-1] for session, of in by_session.items() if len(of) >= 3}
    touched = {session: [item for _, _, item, _ in by_session[session][:-1]] for session in last}
    rows = list(last.values())
    session = np.array([row[0] for row in rows])
    acts = Acts(
        session,
        user[session],
        (FIRST_SESSION + session).astype(np.str_),
        np.array([row[2] for row in rows]),
        np.array([row[1] for row in rows]),
    )
    return next_slates(acts, truth.items, START_US, touched=touched, kind=truth.loadings.argmax(axis=1))
