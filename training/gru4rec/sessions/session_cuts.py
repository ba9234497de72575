"""Pure functions that make sessions from clicks: cut at gaps, drop repeats, filter by support, sort by time.

All work on :class:`Log`: events session by session, in time order within a session.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.gru4rec.sessions.processed import Ints, Longs
from training.gru4rec.sessions.sources import Clicks

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Log:
    """(n,) each. ``session``: the session number. ``number``: counts the sessions of one owner, from 0."""

    session: Longs
    owner: Ints
    number: Longs
    item: Ints
    ts_us: Longs

    def __len__(self) -> int:
        return len(self.item)

    @property
    def sessions(self) -> int:
        return int(np.count_nonzero(_first(self.session)))

    def where(self, mask: Mask) -> Log:
        return Log(self.session[mask], self.owner[mask], self.number[mask], self.item[mask], self.ts_us[mask])

    def begins_us(self) -> Longs:
        """(n,) the first timestamp of each event's session."""
        first = _first(self.session)
        begins: Longs = self.ts_us[first][np.cumsum(first) - 1]
        return begins


def cut_at_gaps(clicks: Clicks, gap_us: int) -> Log:
    """A user's session ends if the next event is more than ``gap_us`` later. Sessions of the source are not cut."""
    owner_begins = _first(clicks.owner)
    begins = owner_begins.copy()
    if not clicks.are_sessions:
        begins[1:] |= np.diff(clicks.ts_us) > gap_us
    session = np.cumsum(begins) - 1
    number = session - session[owner_begins][np.cumsum(owner_begins) - 1]
    return Log(session, clicks.owner, number, clicks.item, clicks.ts_us)


def without_repeats(log: Log) -> Log:
    """Only the first of equal items in a row within a session."""
    stays = _first(log.session)
    stays[1:] |= log.item[1:] != log.item[:-1]
    return log.where(stays)


def long_sessions(log: Log, min_session: int) -> Log:
    return log.where(np.bincount(log.session, minlength=1)[log.session] >= min_session) if len(log) else log


def supported(log: Log, min_session: int, min_item: int, drop_repeats: bool) -> tuple[Log, int]:
    """Drop rare items, the repeats that this causes, and short sessions, again and again until nothing is dropped.

    Returns the log and the number of rounds, including the last one, which dropped nothing.
    """
    rounds = 0
    while True:
        before, rounds = len(log), rounds + 1
        if len(log):
            log = log.where(np.bincount(log.item)[log.item] >= min_item)
        if drop_repeats:
            log = without_repeats(log)
        log = long_sessions(log, min_session)
        if len(log) == before:
            return log, rounds


def in_time_order(log: Log) -> Log:
    """Sessions by their first timestamp; sessions with equal timestamps stay in order."""
    order = np.argsort(log.begins_us(), kind="stable")
    return Log(log.session[order], log.owner[order], log.number[order], log.item[order], log.ts_us[order])


def _first(groups: npt.NDArray[np.integer]) -> Mask:
    """(n,) where a group begins."""
    first = np.ones(len(groups), np.bool_)
    first[1:] = groups[1:] != groups[:-1]
    return first
