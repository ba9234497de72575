"""Chooses the number of rounds by the metric that judges the model afterwards.

The metric is computed every EVERY rounds on the validation slates. On few slates it varies from round to round, so the
best round is that of the highest mean over NEIGHBOURS values, and not before a floor: a model of a few trees gives many
candidates equal scores, and its metric says little about what the next trees are worth.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import lightgbm
import numpy as np

from infra.models.arrays import Doubles

EVERY = 5
PRINTED = 50  # a multiple of EVERY
NEIGHBOURS = 5  # values in a mean, the one in the middle and as many on both sides

Measure = Callable[[Doubles], float]


class RoundChoice:
    """Give ``feval`` and the object itself, as a callback, to ``lightgbm.train``; then read ``best`` and ``curve``.

    sets:     name -> the data set of LightGBM and the measure of its scores, higher is better
    deciding: the measure of the set ``validation`` that chooses the round
    floor:    no round before it is chosen, unless there are not as many
    rounds:   the most that are fitted; the last one is judged, too
    patience: stop after so many rounds without a better one; None: never
    watch:    is told each judged round and its deciding value, instead of the terminal; what it raises ends the fit
    """

    order = 30
    before_iteration = False

    def __init__(
        self,
        sets: Mapping[str, tuple[lightgbm.Dataset, Measure]],
        deciding: Measure,
        floor: int,
        rounds: int,
        patience: int | None,
        watch: Callable[[int, float], None] | None = None,
    ) -> None:
        self._sets, self._deciding = sets, deciding
        self._floor, self._rounds, self._patience, self._watch = floor, rounds, patience, watch
        self._seen = dict.fromkeys(sets, 0)
        self._values: list[float] = []
        self.curve: dict[str, list[float]] = {"iteration": [], **{name: [] for name in sets}}

    def feval(self, scores: Doubles, data: lightgbm.Dataset) -> list[Any]:
        """LightGBM calls this for every set after each round. Nothing is handed to its own early stopping."""
        name = next(name for name, (found, _) in self._sets.items() if found is data)
        self._seen[name] += 1
        if self._seen[name] % EVERY == 0 or self._seen[name] == self._rounds:
            self.curve[name].append(self._sets[name][1](scores))
            if name == "validation":
                self.curve["iteration"].append(self._seen[name])
                self._values.append(self._deciding(scores))
        return []

    def __call__(self, environment: Any) -> None:
        done = environment.iteration + 1
        if self._watch is not None:
            if done % EVERY == 0 or done == self._rounds:
                self._watch(done, self._values[-1])
        elif done % PRINTED == 0:
            listed = ", ".join(f"{name} {self.curve[name][-1]:.4f}" for name in self._sets)
            print(f"  round {done}: {listed}", file=sys.stderr)
        if self._patience is not None and done % EVERY == 0 and done - max(self.best, self._floor) >= self._patience:
            raise lightgbm.EarlyStopException(self.best - 1, [])

    @property
    def best(self) -> int:
        """The chosen round; 0 before the first that is judged."""
        rounds = np.array(self.curve["iteration"], dtype=np.int64)
        if not len(rounds):
            return 0
        smooth = smoothed(np.array(self._values))
        late = rounds >= min(self._floor, rounds[-1])
        return int(rounds[late][np.argmax(smooth[late])])


def smoothed(values: Doubles) -> Doubles:
    """(n,) mean of each value and its neighbours, as many on the left as on the right."""
    reach = np.minimum(np.arange(len(values)), np.arange(len(values))[::-1]).clip(max=NEIGHBOURS // 2)
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    return np.asarray((total[at + reach + 1] - total[at - reach]) / (2 * reach + 1), dtype=np.float64)
