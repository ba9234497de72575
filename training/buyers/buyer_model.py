"""The buyer model: LightGBM's log odds of ordering in the window, calibrated on later windows; and its files.

model.txt, model.json  the trees, as :mod:`infra.models.ranker` writes them
buyers.json            the window's length, the calibration, and what it was fitted on
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from infra.durable_file import write_durably
from infra.models.arrays import Doubles, Floats
from infra.models.ranker import BadModel, LightGbmRanker, load_ranker
from infra.settings import Settings
from training.buyers.buyer_features import FEATURE_NAMES
from training.buyers.calibration import fitted_scaling
from training.buyers.windows import LabelledWindows, TooFewWindows, UserSet, WindowPlan, joined
from training.evaluation.platt_scaling import PlattScaling

CARD = "buyers.json"
MIN_LEAF, LEAVES = 10, 16


@dataclass(frozen=True)
class BuyerModel:
    """``known_at``: nothing that was received then or later is in it."""

    trees: LightGbmRanker
    scaling: PlattScaling
    days: int
    known_at: datetime
    rounds: int
    fitted_on: Mapping[str, int]

    def probabilities(self, matrix: Floats) -> Doubles:
        """(q,) of ordering within ``days``, of (q, f) in the order of FEATURES."""
        return self.scaling(log_odds(self.trees, matrix))

    def save(self, folder: Path) -> None:
        self.trees.save(folder)
        card = {
            "scaling": asdict(self.scaling),
            "days": self.days,
            "known_at": self.known_at.isoformat(),
            "rounds": self.rounds,
            "fitted_on": dict(self.fitted_on),
        }
        write_durably(folder / CARD, json.dumps(card, indent=2).encode())

    @staticmethod
    def load(folder: Path) -> BuyerModel:
        """Raises BadModel."""
        trees = load_ranker(folder)
        if not isinstance(trees, LightGbmRanker) or trees.feature_names != FEATURE_NAMES:
            raise BadModel(f"{folder} holds a model of other features than the buyer model's: train it again")
        try:
            card: dict[str, Any] = json.loads((folder / CARD).read_text())
            return BuyerModel(
                trees,
                PlattScaling(**card["scaling"]),
                int(card["days"]),
                datetime.fromisoformat(card["known_at"]),
                int(card["rounds"]),
                card["fitted_on"],
            )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise BadModel(f"{folder / CARD} cannot be read: {error}") from error


def fit_buyers(
    settings: Settings, params: Mapping[str, Any], windows: LabelledWindows, first_event: datetime | None, at: datetime
) -> BuyerModel:
    """Fit on windows that end at or before ``at``. ``params``: the section ``recommend.buyers``.

    The number of trees is chosen on the stopping windows; then the trees are fitted on these too, with as many. Raises
    TooFewWindows, also where all users ordered in all windows for training, or none.
    """
    if first_event is None or first_event >= at:
        raise TooFewWindows(f"the log holds no event before {at.isoformat()}")
    sizes = params["windows"]
    plan = WindowPlan.before(
        at, windows.days, first_event, int(sizes["train"]), int(sizes["stopping"]), int(sizes["calibration"])
    )
    train, stopping, calibration = (windows.of(starts) for starts in (plan.train, plan.stopping, plan.calibration))
    if train.labels.min(initial=1) == train.labels.max(initial=0):
        raise TooFewWindows(
            f"of {len(train)} users in {len(plan.train)} windows all ordered, or none: nothing to learn"
        )
    rounds = max(1, int(stopped_trees(settings, params, train, stopping).best_iteration))
    whole = joined([train, stopping])
    booster = lightgbm.train(
        _lightgbm(settings, params, len(train)),
        lightgbm.Dataset(whole.matrix, whole.labels, feature_name=list(FEATURE_NAMES)),
        num_boost_round=rounds,
    )
    text = booster.model_to_string()
    trees = LightGbmRanker(lightgbm.Booster(model_str=text), FEATURE_NAMES, settings.threads)
    scaling = fitted_scaling(log_odds(trees, calibration.matrix), calibration.labels)
    counts = {"train": len(train), "stopping": len(stopping), "calibration": len(calibration)}
    print(f"  buyers: {rounds} rounds, {counts} rows, {len(plan.train)} windows to train on", file=sys.stderr)
    return BuyerModel(trees, scaling, windows.days, at, rounds, counts)


def stopped_trees(
    settings: Settings,
    params: Mapping[str, Any],
    train: UserSet,
    stopping: UserSet,
    callbacks: Sequence[Callable[[Any], None]] = (),
) -> lightgbm.Booster:
    """Trees fitted on ``train``; ``best_iteration`` is their best number on ``stopping``. ``callbacks``: LightGBM's."""
    train_set = lightgbm.Dataset(train.matrix, train.labels, feature_name=list(FEATURE_NAMES))
    return lightgbm.train(
        _lightgbm(settings, params, len(train)),
        train_set,
        num_boost_round=int(params["rounds"]),
        valid_sets=[lightgbm.Dataset(stopping.matrix, stopping.labels, reference=train_set)],
        callbacks=[lightgbm.early_stopping(int(params["early_stopping_rounds"]), verbose=False), *callbacks],
    )


def log_odds(trees: LightGbmRanker, matrix: Floats) -> Doubles:
    return np.asarray(trees.booster.predict(matrix, raw_score=True, num_threads=trees.num_threads), np.float64)


def _lightgbm(settings: Settings, params: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """With leaves of at most a LEAVES-th of the training rows, so that few rows can be split, too."""
    found = {
        "objective": "binary",
        "metric": "binary_logloss",
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "seed": int(params["seed"]),
        "num_threads": settings.threads,
        **params["lightgbm"],
    }
    found["min_data_in_leaf"] = min(int(found.get("min_data_in_leaf", 20)), max(MIN_LEAF, rows // LEAVES))
    return found
