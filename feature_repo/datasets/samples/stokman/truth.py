"""What the sample planted: its counts, and how well its last days can be predicted by someone who knows the plan."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from feature_repo.datasets.samples.stokman.actions import OrderLines
from feature_repo.datasets.samples.stokman.catalog import DAY_US, Doubles
from feature_repo.datasets.samples.stokman.shoppers import Mask, Sessions
from feature_repo.datasets.stokman_log.source_files import ACTIONS

WINDOW_DAYS = 3
WEEK_DAYS = 7


class Truth:
    """Collects the counts of the parts, then gives them as lines of text. ``end_us``: the end of the sample."""

    def __init__(self, people: int, end_us: int) -> None:
        self._window_us = end_us - WINDOW_DAYS * DAY_US
        self._actions = np.zeros(len(ACTIONS), np.int64)
        self._lines: list[OrderLines] = []
        self._seen = np.zeros(people, np.bool_)
        self._seen_lately = np.zeros(people, np.bool_)

    def add(self, rows: pa.Table, sessions: Sessions, lines: OrderLines) -> None:
        self._actions += np.bincount(rows["action"].to_numpy(), minlength=len(ACTIONS))
        self._lines.append(lines)
        before = sessions.us < self._window_us
        self._seen[sessions.person] = True
        self._seen_lately[sessions.person[before & (sessions.us >= self._window_us - WEEK_DAYS * DAY_US)]] = True

    @property
    def rows(self) -> int:
        return int(self._actions.sum())

    def report(self) -> list[str]:
        lines = OrderLines(
            *(np.concatenate([getattr(part, name) for part in self._lines]) for name in vars(self._lines[0]))
        )
        rows = ", ".join(f"{name} {count:,}" for name, count in zip(ACTIONS, self._actions.tolist(), strict=True))
        return [
            f"{self.rows:,} actions: {rows}",
            f"{np.count_nonzero(self._seen):,} of {len(self._seen):,} people act",
            f"{len(lines.us):,} order lines; {_share(_is_repeated(lines))} repeat an earlier one of the same person; "
            f"{_share(lines.is_repetition)} are due by interval, {_share(lines.since_us > 0)} planted in all",
            *self._window(lines),
        ]

    def _window(self, lines: OrderLines) -> list[str]:
        """The last days: who buys, and what an oracle knows of it before."""
        inside = lines.us >= self._window_us
        buys = np.zeros(len(self._seen), np.bool_)
        buys[lines.person[inside]] = True
        known = (lines.since_us > 0) & (lines.since_us < self._window_us)
        person, owner = np.unique(lines.person[inside], return_inverse=True)
        if not len(person):
            return [f"nobody buys in the last {WINDOW_DAYS} days"]
        recall: Doubles = np.bincount(owner, weights=known[inside]) / np.bincount(owner)
        return [
            f"{len(person):,} people buy in the last {WINDOW_DAYS} days; {_share(self._seen_lately[buys])} of them "
            f"came in the week before, of the other people {_share(self._seen_lately[~buys])}",
            "recall of these days' purchases by an oracle that knows every repetition and every interest that began "
            f"before them: {recall.mean():.3f}",
        ]


def _is_repeated(lines: OrderLines) -> Mask:
    """Whether the person ordered the item before."""
    order = np.lexsort((lines.us, lines.item, lines.person))
    again = np.zeros(len(order), np.bool_)
    same = (np.diff(lines.person[order]) == 0) & (np.diff(lines.item[order]) == 0) & (np.diff(lines.us[order]) > 0)
    again[order[1:][same]] = True
    return again


def _share(mask: Mask) -> str:
    return f"{mask.mean():.1%}" if len(mask) else "none"
