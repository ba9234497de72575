"""Rules of what was accepted live: events, and changes of items.

An entry that breaks one is set aside (:mod:`validation.gates.quarantine`). New users, new sessions, items that are not
in the catalog and days after the end of the imported log break none.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from feature_repo.live.checked_events import CHECKED_EVENTS, Checked
from feature_repo.live.items.files import ITEM_CHANGES
from feature_repo.live.items.versions import CHECKED_CHANGES
from feature_repo.schema import Column, Declaration, DType, Table, events_table, item_changes_table
from infra.settings import Settings
from validation.gates.rules.log_rules import NOW
from validation.gates.rules.rule import RowRule, Rule, Severity
from validation.gates.rules.schema_rules import column_rules, row_rule, unique
from validation.gates.rules.table_file import TableFile

IN_LOG, REPEATED = "not in the imported log", "accepted once"
COPIES = {f"event_id: {IN_LOG}", f"event_id: {REPEATED}", f"change_id: {REPEATED}"}  # they set aside copies
TABLE, QUARANTINE = "live_events", "quarantine"
CHANGES, CHANGES_ASIDE = "live_item_changes", "item_quarantine"


def live_files(settings: Settings, declaration: Declaration) -> tuple[TableFile, TableFile, TableFile, TableFile]:
    """(sound events, events that were set aside, sound changes of items, changes that were set aside)."""
    events, changes = events_table(declaration), item_changes_table(declaration)
    return (
        *_files(settings, CHECKED_EVENTS, events, (TABLE, QUARANTINE)),
        *_files(settings, CHECKED_CHANGES, changes, (CHANGES, CHANGES_ASIDE)),
    )


def _files(settings: Settings, checked: Checked, table: Table, names: tuple[str, str]) -> tuple[TableFile, TableFile]:
    reasons = Column("reasons", DType.STRING_LIST, "the rules that it breaks")
    aside = tuple(replace(column, nullable=True, allowed=None) for column in table.columns)
    return (
        TableFile(names[0], checked.sound(settings), table.key, table.columns),
        TableFile(names[1], checked.aside(settings), table.key, (*aside, reasons)),
    )


def event_rules(file: TableFile) -> list[RowRule]:
    """What each event must be."""
    return [
        *_accepted_rules(file),
        row_rule(file, "event_ts", "not after received_ts", "event_ts > received_ts", "received_ts"),
    ]


def change_rules(file: TableFile) -> list[RowRule]:
    """What each change of an item must be. ``is_untyped`` is known only where the consumer's files are read."""
    return [*_accepted_rules(file), row_rule(file, "changed", "values are of their columns' types", "is_untyped")]


def _accepted_rules(file: TableFile) -> list[RowRule]:
    return [
        *(rule for column in file.columns for rule in column_rules(file, column, nan_is_unknown=False)),
        row_rule(file, "received_ts", "not in the future", f"received_ts > {NOW}"),
    ]


def copy_rules(file: TableFile) -> list[RowRule]:
    """An event counts once: the imported copy, else the first accepted one."""
    return [row_rule(file, "event_id", IN_LOG, "in_log"), once(file)]


def once(file: TableFile) -> RowRule:
    """The first one that was accepted counts."""
    return row_rule(file, file.key[0], REPEATED, "is_repeated")


def readable_rule(path: Path) -> Rule:
    """Of one file of the consumer. A file that cannot be read is left out."""
    table = CHANGES if ITEM_CHANGES.kind in path.parts[-3:] else TABLE
    return Rule(table=table, column="(file)", text=f"{path.name} is readable", severity=Severity.WARNING)


def live_rules(settings: Settings, declaration: Declaration) -> list[Rule]:
    """Of the sound entries all rules hold. For each rule there is a warning if entries were set aside by it."""
    events, events_aside, changes, changes_aside = live_files(settings, declaration)
    return [
        *event_rules(events),
        unique(events, events.key),
        *(_aside(events_aside, rule) for rule in [*event_rules(events), *copy_rules(events)]),
        *_accepted_rules(changes),
        unique(changes, changes.key),
        *(_aside(changes_aside, rule) for rule in [*change_rules(changes), once(changes)]),
    ]


def _aside(file: TableFile, rule: RowRule) -> RowRule:
    title = rule.title.replace("'", "''")
    return replace(rule, table=file.name, severity=Severity.WARNING, breaks=f"list_contains(reasons, '{title}')")
