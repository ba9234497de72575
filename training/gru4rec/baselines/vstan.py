"""V-STAN: the items of the most similar train sessions, weighted by order and time.

Of the train sessions n that share an item with the current session s, the ``sample`` newest are compared with it, and
the ``neighbours`` most similar vote:

    similarity(n) = [ sum over shared items i of exp(-steps since i / recency_steps) ] / sqrt(|s| |n|)
                    * exp(-age of n / recency_days)
    score(j)      = sum over neighbours n that contain j of
                    similarity(n) * exp(-steps since the latest shared item / match_steps)
                                  * exp(-|position of j - position of that item in n| / distance_steps)
                    * (1 + idf * log(sessions / sessions with j))

The first, second and fourth factor are STAN's (Garg et al. 2019, "Sequence and time aware neighborhood for
session-based recommendations"). The weight of the latest shared item and idf are from V-SKNN, as in Ludewig et al.
2020 ("Empirical analysis of session-based recommendation algorithms"). Ages count from the newest train session; any
other timestamp would multiply all scores by the same number. Equal scores are ordered by popularity. If no train
session has the same item twice in a row, the session's last item is ranked last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.gru4rec.baselines.item_pairs import Integers, has_repeats, session_of_each
from training.gru4rec.baselines.popularity import tie_breaker
from training.gru4rec.next_item import Items
from training.gru4rec.sessions.processed import Sessions

DAY_US = 86_400_000_000
TIE_WEIGHT = 1e-12  # of popularity: smaller than any relevant difference of two scores
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VStanSettings:
    """``recency_days``: the decay of whole sessions; None for the number of days that train spans. ``..._steps``: the
    decays within a session. ``idf``: its weight, 0 for none."""

    neighbours: int = 500
    sample: int = 5000
    recency_days: float | None = None
    recency_steps: float = 1.02
    match_steps: float = 2.0
    distance_steps: float = 2.05
    idf: float = 1.0


@dataclass(frozen=True)
class VStan:
    """The train sessions from old to new. For each item the sessions that contain it, from old to new, with the
    position of its last occurrence."""

    items: Items  # (n,) of all sessions, the oldest session first
    starts: Integers  # (sessions + 1,)
    freshness: Floats  # (sessions,) exp(-age / recency_days)
    holders: Integers  # (m,) session numbers, item by item
    positions: Integers  # (m,) from 0
    holder_starts: Integers  # (n_items + 1,)
    weight: Floats  # (n_items,) of an item as a candidate: 1 + idf
    ties: Floats  # (n_items,)
    settings: VStanSettings
    repeats: bool
    name: str = "vstan"

    @staticmethod
    def fit(train: Sessions, n_items: int, settings: VStanSettings | None = None) -> VStan:
        settings = settings or VStanSettings()
        train, ended = _oldest_first(train)
        owner, position = session_of_each(train), np.arange(len(train.items)) - train.starts[session_of_each(train)]
        # In reversed order the first occurrence of (item, session) is the last one in the session.
        keys, back = np.unique((train.items.astype(np.int64) * len(ended) + owner)[::-1], return_index=True)
        item, holder = np.divmod(keys, max(1, len(ended)))
        held_by = np.bincount(item, minlength=n_items)
        idf = np.log(max(1, len(ended)) / np.maximum(held_by, 1))
        age_days = (ended.max(initial=0) - ended) / DAY_US
        return VStan(
            items=train.items,
            starts=train.starts,
            freshness=np.exp(-age_days / (settings.recency_days or max(1.0, float(age_days.max(initial=0))))),
            holders=holder,
            positions=position[::-1][back],
            holder_starts=np.concatenate([[0], np.cumsum(held_by)]),
            weight=1.0 + settings.idf * idf,
            ties=TIE_WEIGHT * tie_breaker(train, n_items),
            settings=settings,
            repeats=has_repeats(train),
        )

    def scores(self, session: Items) -> Floats:
        """(length, n_items)"""
        return np.stack([self._scores_after(session[: k + 1]) for k in range(len(session))])

    def _scores_after(self, seen: Items) -> Floats:
        numbers, similarity, steps, matched = self._similar_sessions(seen)
        nearest = _indices_of_highest(similarity, self.settings.neighbours)
        numbers, matched = numbers[nearest], matched[nearest]
        session_weight = similarity[nearest] * np.exp(-steps[nearest] / self.settings.match_steps)
        lengths = np.diff(self.starts)[numbers]
        position = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        items = self.items[np.repeat(self.starts[numbers], lengths) + position]
        nearness = np.exp(-np.abs(position - np.repeat(matched, lengths)) / self.settings.distance_steps)
        votes = np.repeat(session_weight, lengths) * nearness
        found: Floats = np.bincount(items, weights=votes, minlength=len(self.weight)) * self.weight + self.ties
        if not self.repeats:
            found[seen[-1]] = -1.0
        return found

    def _similar_sessions(self, seen: Items) -> tuple[Integers, Floats, Integers, Integers]:
        """Per session: number, similarity, steps since the latest shared item, and position of that item in it."""
        distinct, back = np.unique(seen[::-1], return_index=True)
        order = np.argsort(back)  # the item seen last comes first
        postings = [self._holders_of(int(item)) for item in distinct[order]]
        holders = np.concatenate([holder for holder, _ in postings])
        sizes = [len(holder) for holder, _ in postings]
        steps = np.repeat(back[order], sizes)
        numbers, first, group = np.unique(holders, return_index=True, return_inverse=True)
        shared = np.bincount(group, weights=np.exp(-steps / self.settings.recency_steps), minlength=len(numbers))
        newest = slice(-self.settings.sample, None)
        numbers, shared, first = numbers[newest], shared[newest], first[newest]
        lengths = np.diff(self.starts)[numbers]
        similarity = shared / np.sqrt(len(seen) * lengths) * self.freshness[numbers]
        positions = np.concatenate([position for _, position in postings])
        return numbers, similarity, steps[first], positions[first]

    def _holders_of(self, item: int) -> tuple[Integers, Integers]:
        """The newest ``sample`` sessions with the item; older ones cannot be among the newest for several items."""
        start, end = self.holder_starts[item], self.holder_starts[item + 1]
        start = max(start, end - self.settings.sample)
        return self.holders[start:end], self.positions[start:end]


def _oldest_first(train: Sessions) -> tuple[Sessions, Integers]:
    """The sessions in the order of their last events, and the times of these, µs."""
    ended = train.ts_us[train.starts[1:] - 1]
    order = np.argsort(ended, kind="stable")
    lengths = np.diff(train.starts)[order]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    positions = np.repeat(train.starts[:-1][order] - starts[:-1], lengths) + np.arange(len(train.items))
    return Sessions(train.items[positions], starts, train.ts_us[positions]), ended[order]


def _indices_of_highest(values: Floats, count: int) -> Integers:
    """Indices of the ``count`` highest values, unordered. Of equal values the later ones are taken."""
    if len(values) <= count:
        return np.arange(len(values))
    return np.lexsort((np.arange(len(values)), values))[-count:]
