"""How much there is of what: days, rows of each action, and whether the catalog is older than the events."""

from __future__ import annotations

from feature_repo.datasets.files.mapping import Values
from feature_repo.init.guess.decisions import Setting
from feature_repo.init.guess.folder import Folder
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import Holds


def actions(folder: Folder) -> dict[str, float]:
    """Action -> its rows in all events, about."""
    found: dict[str, float] = {}
    by_pattern = folder.by_pattern
    for entry in folder.guess.of("events"):
        view, values = by_pattern[entry.path], entry.columns["action"].values
        for action, rows in _rows_of(values, view):
            found[action] = found.get(action, 0) + rows * view.table.rows / max(
                next(iter(view.columns.values())).rows, 1
            )
    return found


def _rows_of(values: Values, view: View) -> list[tuple[str, int]]:
    """(action, rows in the sample) of the texts or thresholds of an action's column."""
    if not values.source:
        return [(str(values.value), next(iter(view.columns.values())).rows)]
    column = view.columns[values.source[0]]
    if values.at_least is not None and column.numbers is not None:
        steps = sorted(values.at_least.items())
        counts = column.numbers.values
        return [(str([made for low, made in steps if low <= number][-1]), rows) for number, rows in counts]
    told = column.values
    known = values.map if values.map is not None else {text: text for text, _ in told}
    return [(str(known[text]), rows) for text, rows in told if text in known]


def days(folder: Folder) -> float:
    """From the first event to the last."""
    spans = [
        times.days
        for view in folder.views
        if view.pattern in {each.path for each in folder.guess.of("events")}
        for name in view.roles.get("time", ())[:1]
        if (times := view.columns[name].times) is not None
    ]
    return max(spans, default=365.0)


def date_catalog(folder: Folder, catalog: View | None) -> None:
    """A catalog that is dated after the first event would not be known when it happened."""
    entry = next(iter(folder.guess.of("items")), None)
    if catalog is None or entry is None or "valid_from_ts" not in entry.columns:
        return
    column = catalog.columns.get(entry.columns["valid_from_ts"].values.source[0])
    dated = column.times if column is not None else None
    used = [
        times.first
        for view in (
            *folder.that_hold(Holds.EVENTS),
            *folder.that_hold(Holds.IMPRESSIONS),
            *folder.that_hold(Holds.LISTS),
        )
        for name in view.roles.get("time", ())[:1]
        if (times := view.columns[name].times) is not None
    ]
    if dated is not None and used and dated.first > min(used):
        folder.guess.settings["catalog"] = Setting(
            "from_start",
            f"the catalog is dated from {dated.first:%Y-%m-%d} on, after the first event: an export's date",
        )
