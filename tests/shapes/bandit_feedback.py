"""Logged feedback of a bandit at positions 1 to 3: the shape of the Open Bandit Dataset.

``all.csv``           a column without a name (row number), timestamp (``2019-11-24 00:00:01.002345+00:00``), item_id,
                      position (1, 2, 3), click (0, 1), propensity_score, user_feature_0 … user_feature_3 (hashed).
                      Three rows are one impression: they have one timestamp. No user, no session.
``item_context.csv``  a column without a name, item_id, item_feature_0 (number), item_feature_1 … 3 (hashed)

Truth: an item's appeal, which drifts from day to day, and the taste of a visitor for its kind. A visitor's taste is the
sum of what their four features say. A click is drawn with the chance of the item, logistic in its utility, times that
of its position to be looked at, 1, 0.85 and 0.75. The policy draws an item with a chance that knows half of the appeal;
``propensity_score`` is that chance, given the items to its left. In the truth an impression is found by its timestamp.

The oracle ranks by utility plus the log of the position's chance. That is the best order of clicks to a close
approximation, as clicks are rare; they are many times as frequent as in the public set, so that a small file suffices.

Oddities: ids and positions are integers, no impression is of one row, most have no click, a timestamp now and then has
no fraction of a second, ``item_feature_0`` is negative at times.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import md5
from pathlib import Path

import numpy as np
import pandas as pd

from tests.shapes.drawing import Integers, heavy_tail, instants, memberships, stream, wandering
from tests.shapes.ids import TIME, named
from tests.shapes.slates import Slates, last_part, popularity
from tests.shapes.truth import Truth, plain_truth

FULL, SMALL = 15_000, 1_500  # impressions
START_US = 1_574_553_600_000_000  # 2019-11-24 UTC
DAYS = 42
ITEMS, KINDS = 60, 6
LEVELS = (4, 6, 10, 10)  # values of each feature of a visitor
LOOKED_AT = np.array([1.0, 0.85, 0.75])
USUAL = -4.2  # log-odds of a click on an item of utility 0


def write(folder: Path, *, seed: int = 7, size: int = FULL) -> Truth:
    """``size``: impressions. Writes the files of the module's docstring into ``folder``."""
    rng = stream(seed, "impressions")
    us = instants(rng, size, START_US, DAYS) + rng.integers(1_000_000, size=size)
    us[::200] -= us[::200] % 1_000_000
    us = np.unique(us)
    features = np.stack([rng.choice(many, size=len(us), p=heavy_tail(rng, many, 0.7)) for many in LEVELS], axis=1)
    truth = _world(seed, us, features)
    shown, propensity = _policy(rng, truth, us)
    value = truth.utility([""] * 3 * len(us), truth.items[shown.ravel()], us.repeat(3)).reshape(shown.shape)
    chance = LOOKED_AT / (1 + np.exp(-(USUAL + value)))
    clicked = rng.random(shown.shape) < chance
    _write_files(folder, truth, us, features, shown, propensity, clicked, rng)
    return replace(truth, slates={"clicked": _slates(truth, us, shown, clicked)})


def _world(seed: int, us: Integers, features: Integers) -> Truth:
    rng = stream(seed, "items")
    taste = [rng.normal(scale=0.7, size=(many, KINDS)) for many in LEVELS]
    kind = rng.integers(KINDS, size=ITEMS)
    return plain_truth(
        who=named(TIME, us.tolist()),
        items=np.arange(ITEMS).astype(np.str_),
        quality=rng.normal(scale=0.7, size=ITEMS),
        weights=np.sum([of[features[:, number]] for number, of in enumerate(taste)], axis=0),
        loadings=memberships(rng, kind, KINDS, 0.2),
        start_us=START_US,
        drift=wandering(rng, DAYS, ITEMS, 0.4),
        examination=np.log(LOOKED_AT),
    )


def _policy(
    rng: np.random.Generator, truth: Truth, us: Integers
) -> tuple[Integers, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """(n, 3) items shown, and the chance with which each was drawn given those to its left."""
    share = np.exp(0.5 * truth.quality)
    order = np.argsort(-(0.5 * truth.quality + rng.gumbel(size=(len(us), ITEMS))), axis=1)[:, :3]
    drawn = share[order]
    left = share.sum() - np.concatenate([np.zeros((len(us), 1)), drawn[:, :2].cumsum(axis=1)], axis=1)
    return order, drawn / left


def _write_files(
    folder: Path,
    truth: Truth,
    us: Integers,
    features: Integers,
    shown: Integers,
    propensity: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    clicked: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    rng: np.random.Generator,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    stamps = [str(stamp) for stamp in pd.to_datetime(us, unit="us", utc=True)]
    log = pd.DataFrame(
        {
            "timestamp": np.repeat(stamps, 3),
            "item_id": shown.ravel(),
            "position": np.tile([1, 2, 3], len(us)),
            "click": clicked.ravel().astype(np.int64),
            "propensity_score": propensity.ravel(),
        }
    )
    for number in range(len(LEVELS)):
        names = np.array([_hashed(f"user_feature_{number}", level) for level in range(LEVELS[number])])
        log[f"user_feature_{number}"] = names[features[:, number]].repeat(3)
    log.to_csv(folder / "all.csv")
    items = pd.DataFrame({"item_id": np.arange(ITEMS), "item_feature_0": rng.normal(size=ITEMS).round(6)})
    main = truth.loadings.argmax(axis=1)
    for number, level in ((1, main), (2, rng.integers(5, size=ITEMS)), (3, rng.integers(9, size=ITEMS))):
        items[f"item_feature_{number}"] = [_hashed(f"item_feature_{number}", each) for each in level.tolist()]
    items.to_csv(folder / "item_context.csv")


def _hashed(name: str, level: int) -> str:
    return md5(f"{name}:{level}".encode(), usedforsecurity=False).hexdigest()


def _slates(
    truth: Truth, us: Integers, shown: Integers, clicked: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> Slates:
    row, place = np.nonzero(clicked)
    found = popularity(START_US, ITEMS, shown[row, place], us[row])
    last = np.flatnonzero(last_part(us))
    popular = np.array([found.at(int(us[each]))[shown[each]] for each in last], dtype=np.float64)
    return Slates(
        slate=last.repeat(3),
        user=np.full(3 * len(last), ""),
        session=np.full(3 * len(last), ""),
        item=truth.items[shown[last].ravel()],
        us=us[last].repeat(3),
        position=np.tile(np.arange(3), len(last)),
        label=clicked[last].ravel().astype(np.int64),
        popularity=popular.ravel(),
        wanted=clicked[last].sum(axis=1).repeat(3),
    )
