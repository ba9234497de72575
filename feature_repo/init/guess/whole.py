"""The guess of a whole folder: which file fills which table, and what is made because no file holds it."""

from __future__ import annotations

from collections.abc import Sequence

from feature_repo.init.guess.decisions import Guess
from feature_repo.init.guess.entries.events import add_slates
from feature_repo.init.guess.entries.impressions import impressions_of
from feature_repo.init.guess.entries.outcomes import events_of_lists
from feature_repo.init.guess.extent import actions, date_catalog, days
from feature_repo.init.guess.fill import add_events, add_items, add_lists
from feature_repo.init.guess.folder import Folder
from feature_repo.init.guess.leftovers import ask_for_events, ignore_the_rest
from feature_repo.init.guess.overlap import note_overlaps, note_shared_sessions
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import Holds
from feature_repo.init.reading.tables import Source


def guessed(sampled: Sampled, source: Source, views: Sequence[View]) -> Guess:
    """What all files mean."""
    folder = Folder(sampled, views)
    guess = folder.guess
    catalog = folder.main_catalog()
    for view in folder.that_hold(Holds.LISTS):
        add_lists(folder, view, catalog)
    for view in folder.that_hold(Holds.IMPRESSIONS):
        guess.files.append(impressions_of(guess, sampled, folder.lookup(view)))
    add_events(folder, catalog)
    if not guess.of("events"):
        for lists in guess.of("impressions"):
            guess.files += events_of_lists(guess, lists, folder.by_pattern[lists.path])
    add_items(folder, catalog)
    if not guess.of("impressions") and not guess.of("events"):
        guess.files = []
        ask_for_events(folder)
    if not guess.of("impressions") and guess.of("events"):
        add_slates(guess, days(folder), actions(folder))
    date_catalog(folder, catalog)
    note_overlaps(guess, sampled, folder.by_pattern)
    note_shared_sessions(guess, sampled, folder.by_pattern)
    ignore_the_rest(folder, source)
    for view in views:
        for name in view.table.nested:
            guess.leave_out(view.pattern, name, "its cells have fields of their own: write one line for each of them")
    guess.files.sort(key=lambda entry: ("events", "impressions", "items").index(entry.table))
    return guess
