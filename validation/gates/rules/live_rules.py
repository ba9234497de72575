"""Rules of the accepted live events. An event that breaks one is set aside (:mod:`validation.gates.quarantine`).

New users, new sessions, items that are not in the catalog and days after the end of the imported log break none.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from feature_repo.live.checked_events import checked_events, quarantined_events
from feature_repo.schema import Column, Declaration, DType, events_table
from infra.settings import Settings
from validation.gates.rules.log_rules import NOW
from validation.gates.rules.rule import RowRule, Rule, Severity
from validation.gates.rules.schema_rules import column_rules, row_rule, unique
from validation.gates.rules.table_file import TableFile

IN_LOG, REPEATED = "not in the imported log", "accepted once"
COPIES = {f"event_id: {IN_LOG}", f"event_id: {REPEATED}"}  # titles of the rules that set aside copies
TABLE, QUARANTINE = "live_events", "quarantine"


def live_files(settings: Settings, declaration: Declaration) -> tuple[TableFile, TableFile]:
    """(sound events, events that were set aside)."""
    table = events_table(declaration)
    reasons = Column("reasons", DType.STRING_LIST, "the rules that it breaks")
    aside = tuple(replace(column, nullable=True, allowed=None) for column in table.columns)
    return (
        TableFile(TABLE, checked_events(settings), table.key, table.columns),
        TableFile(QUARANTINE, quarantined_events(settings), table.key, (*aside, reasons)),
    )


def event_rules(file: TableFile) -> list[RowRule]:
    """What each event must be."""
    return [
        *(rule for column in file.columns for rule in column_rules(file, column, nan_is_unknown=False)),
        row_rule(file, "received_ts", "not in the future", f"received_ts > {NOW}"),
        row_rule(file, "event_ts", "not after received_ts", "event_ts > received_ts", "received_ts"),
    ]


def copy_rules(file: TableFile) -> list[RowRule]:
    """An event counts once: the imported copy, else the first accepted one."""
    return [
        row_rule(file, "event_id", IN_LOG, "in_log"),
        row_rule(file, "event_id", REPEATED, "is_repeated"),
    ]


def readable_rule(path: Path) -> Rule:
    """Of one event file. A file that cannot be read is left out."""
    return Rule(table=TABLE, column="(file)", text=f"{path.name} is readable", severity=Severity.WARNING)


def live_rules(settings: Settings, declaration: Declaration) -> list[Rule]:
    """Of the sound events all rules hold. For each rule there is a warning if events were set aside by it."""
    sound, aside = live_files(settings, declaration)
    rules = [*event_rules(sound), *copy_rules(sound)]
    return [*event_rules(sound), unique(sound, sound.key), *(_aside(aside, rule) for rule in rules)]


def _aside(file: TableFile, rule: RowRule) -> RowRule:
    title = rule.title.replace("'", "''")
    return replace(rule, table=file.name, severity=Severity.WARNING, breaks=f"list_contains(reasons, '{title}')")
