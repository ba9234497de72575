"""Whether the tables speak of the same users, sessions and items, and a session of one user."""

from __future__ import annotations

from collections.abc import Mapping

from feature_repo.init.guess.decisions import FileGuess, Guess
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.thresholds import FEW_OVERLAP, SHARED_SESSIONS


def note_shared_sessions(guess: Guess, sampled: Sampled, views: Mapping[str, View]) -> None:
    """Say where one session is of several users: its id is not unique, or it is a device that people share."""
    for entry in guess.files:
        user, session = (entry.columns.get(name) for name in ("user_id", "session_id"))
        view = views[entry.path]
        if user is None or session is None or not {*user.values.source, *session.values.source} <= view.columns.keys():
            continue
        share = sampled.several_share(view.table.sample, session.values.source, user.values.source[0])
        if share > SHARED_SESSIONS:
            named = ", ".join(session.values.source)
            guess.notes.append(
                f"{entry.path}: {share:.0%} of the sessions ({named}) are of several users: is it unique? "
                'A key of two parts is written as "from: [user, session]"'
            )
            return


def note_overlaps(guess: Guess, sampled: Sampled, views: Mapping[str, View]) -> None:
    """Say which ids hardly overlap. Both sides are samples where the files are large, so only small shares are said."""
    events = guess.of("events")
    for entry in guess.of("impressions"):
        for other in events:
            for name in ("user_id", "session_id", "item_id"):
                share = _share(sampled, views, entry, other, name)
                if share is not None and share < FEW_OVERLAP:
                    guess.notes.append(
                        f"only {share:.0%} of the {name} in the lists ({entry.path}) stand in {other.path}: "
                        "the model learns little from the events, or the ids are written differently"
                    )


def _share(sampled: Sampled, views: Mapping[str, View], entry: FileGuess, other: FileGuess, name: str) -> float | None:
    ours, theirs = (each.columns.get(name) for each in (entry, other))
    if ours is None or theirs is None or entry.path == other.path:
        return None
    if len(ours.values.source) != 1 or len(theirs.values.source) != 1 or ours.values.split or theirs.values.split:
        return None
    of, to = views[entry.path], views[other.path]
    a, b = ours.values.source[0], theirs.values.source[0]
    if a not in of.columns or b not in to.columns:
        return None
    table = to.table.whole if to.table.is_sampled else to.table.sample
    return sampled.inside(of.table.sample, a, table, b, whole=to.table.is_sampled)
