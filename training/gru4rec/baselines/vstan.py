"""V-STAN: the items of the most similar train sessions, weighed by order and time.

A session is asked about after its items, the latest last. Of the train sessions that share an item with it, the
``sample`` newest are compared, and the ``neighbours`` most similar speak:

    similarity(n) = [ sum over shared items i of exp(-steps since i / recency_steps) ] / sqrt(|s| |n|)
                    * exp(-age of n / recency_days)
    score(j)      = sum over neighbours n that hold j of
                    similarity(n) * exp(-steps since the latest shared item / match_steps)
                                  * exp(-|place of j - place of that item in n| / distance_steps)
                    * (1 + idf * log(sessions / sessions with j))

The first, second and fourth factor are STAN's (Garg et al. 2019, "Sequence and time aware neighborhood for
session-based recommendations"); the weight of the latest shared item and idf are what Ludewig et al. 2020 ("Empirical
analysis of session-based recommendation algorithms") took over from V-SKNN. An age is counted from the newest train
session: any other moment would multiply all scores alike. Equal scores are ordered by popularity. Where
no train session repeats an item at once, the last item stands last.
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
SMALLEST = 1e-12  # of the popularity's part
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VStanSettings:
    """``recency_days``: the decay of whole sessions, None for as many as train spans; the steps: decays along a
    session; ``idf`` 0 is none."""

    neighbours: int = 500
    sample: int = 5000
    recency_days: float | None = None
    recency_steps: float = 1.02
    match_steps: float = 2.0
    distance_steps: float = 2.05
    idf: float = 1.0


@dataclass(frozen=True)
class VStan:
    """The train sessions from old to new, and for each item the sessions that hold it, old to new, with the place of
    its last occurrence there."""

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
        # The last occurrence of an item in a session is the first one met from the end.
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
            ties=SMALLEST * tie_breaker(train, n_items),
            settings=settings,
            repeats=has_repeats(train),
        )

    def scores(self, session: Items) -> Floats:
        """(length, n_items)"""
        return np.stack([self._after(session[: k + 1]) for k in range(len(session))])

    def _after(self, seen: Items) -> Floats:
        numbers, similarity, since, matched = self._neighbours(seen)
        nearest = _largest(similarity, self.settings.neighbours)
        numbers, matched = numbers[nearest], matched[nearest]
        voice = similarity[nearest] * np.exp(-since[nearest] / self.settings.match_steps)
        lengths = np.diff(self.starts)[numbers]
        position = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        items = self.items[np.repeat(self.starts[numbers], lengths) + position]
        nearness = np.exp(-np.abs(position - np.repeat(matched, lengths)) / self.settings.distance_steps)
        votes = np.repeat(voice, lengths) * nearness
        found: Floats = np.bincount(items, weights=votes, minlength=len(self.weight)) * self.weight + self.ties
        if not self.repeats:
            found[seen[-1]] = -1.0
        return found

    def _neighbours(self, seen: Items) -> tuple[Integers, Floats, Integers, Integers]:
        """Of each: its number, its similarity, steps since the latest shared item, and that item's place in it."""
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
        """The newest sessions that hold it; older ones cannot be among the newest of several items' either."""
        start, end = self.holder_starts[item], self.holder_starts[item + 1]
        start = max(start, end - self.settings.sample)
        return self.holders[start:end], self.positions[start:end]


def _oldest_first(train: Sessions) -> tuple[Sessions, Integers]:
    """The sessions by their last event, and when each ended, µs."""
    ended = train.ts_us[train.starts[1:] - 1]
    order = np.argsort(ended, kind="stable")
    lengths = np.diff(train.starts)[order]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    positions = np.repeat(train.starts[:-1][order] - starts[:-1], lengths) + np.arange(len(train.items))
    return Sessions(train.items[positions], starts, train.ts_us[positions]), ended[order]


def _largest(values: Floats, count: int) -> Integers:
    """Places of the ``count`` largest, the later of equals first; in no order."""
    if len(values) <= count:
        return np.arange(len(values))
    return np.lexsort((np.arange(len(values)), values))[-count:]
