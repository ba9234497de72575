"""The gates: the tables that each checks, its rules, and the other tables that the rules read.

    log            the imported log
    live           the accepted events and changes of items; :mod:`validation.gates.quarantine` sets aside those that
                   break a rule
    features       the feature tables, compared with what build read: the imported log and what was accepted live
    training_set   the training set, compared with the imported impressions

If the file or the columns of a table are wrong, the rules that read the table are not checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.live.checked_events import live_events
from feature_repo.live.event_files import reading
from feature_repo.live.items.versions import changes_sql, live_changes
from feature_repo.schema import Declaration
from infra.duckdb_connection import connect
from infra.params import read_params
from infra.settings import Settings
from validation.gates.docs import SuiteRunner
from validation.gates.facts.log_facts import LogFacts
from validation.gates.quarantine import set_aside
from validation.gates.report.content import Section
from validation.gates.report.gate_page import write_pages
from validation.gates.report.import_report.sections import import_sections
from validation.gates.report.outcome import GateReport, Outcome
from validation.gates.report.report_folder import replaced
from validation.gates.report.summary import SUMMARY_FILE, summary
from validation.gates.rule_evaluation import measure, open_files, set_timestamps
from validation.gates.rules.feature_rules import feature_files, feature_rules
from validation.gates.rules.live_rules import live_files, live_rules, readable_rule
from validation.gates.rules.log_rules import log_files, log_rules
from validation.gates.rules.rule import Rule
from validation.gates.rules.table_file import TableFile, read_facts
from validation.gates.rules.training_rules import training_file, training_rules
from validation.gates.suites import row_expectations, row_frame, schema_expectations, schema_frame, schema_rules_of


class Unreadable(RuntimeError):
    """The footer of a parquet file can be read, but its pages cannot."""


@dataclass(frozen=True)
class Gate:
    """``files``: checked by ``rules``. ``others``: read by the rules; only their columns are checked.

    ``about_data``: what the gate's page says beside the outcomes of the rules.
    """

    name: str
    files: tuple[TableFile, ...]
    others: tuple[TableFile, ...]
    rules: tuple[Rule, ...]
    about_data: Callable[[LogFacts], list[Section]] = lambda _: []


def log_gate(settings: Settings, declaration: Declaration) -> Gate:
    files, rules = log_files(settings, declaration), tuple(log_rules(settings, declaration))
    return Gate("log", files, (), rules, partial(import_sections, settings, declaration))


def live_gate(settings: Settings, declaration: Declaration) -> Gate:
    return Gate("live", live_files(settings, declaration), (), tuple(live_rules(settings, declaration)))


def features_gate(settings: Settings, declaration: Declaration) -> Gate:
    files = tuple(feature_files(settings, declaration).values())
    rules = tuple(feature_rules(settings, declaration))
    items, events, impressions = log_files(settings, declaration)
    built_from = replace(events, more=tuple(live_events(settings)))
    changes = changes_sql(live_changes(settings), declaration)
    versions = replace(items, also=f"SELECT item_id, category_id, received_ts AS valid_from_ts FROM ({changes})")
    return Gate("features", files, (versions, built_from, impressions), rules)


def training_set_gate(settings: Settings, declaration: Declaration) -> Gate:
    files = (training_file(settings, declaration),)
    rules = tuple(training_rules(settings, declaration))
    return Gate("training_set", files, log_files(settings, declaration)[1:], rules)


GATES: dict[str, Callable[[Settings, Declaration], Gate]] = {
    "log": log_gate,
    "live": live_gate,
    "features": features_gate,
    "training_set": training_set_gate,
}


def report_folder(settings: Settings, gate: str) -> Path:
    return settings.reports_dir / "validation" / gate


def run_gate(name: str, settings: Settings, now: datetime) -> GateReport:
    """Check the gate's tables, and write page, summary and Data Docs below ``settings.reports_dir``.

    ``now``: later timestamps in the log are in the future. Raises DatasetError if the log has no declaration,
    Unreadable if parquet pages are damaged, and BadParams; then the report of the last run stays.
    """
    declaration = declaration_of(settings)
    with replaced(report_folder(settings, name)) as folder, reading(settings.live_dir):
        runner = SuiteRunner(name, folder)
        try:
            unreadable = set_aside(settings, now) if name == "live" else []
            gate = GATES[name](settings, declaration)
            outcomes, about_data = _check(gate, runner, settings, now)
        except duckdb.Error as error:
            raise Unreadable(f"gate {name}: {str(error).splitlines()[0]}") from error
        report = GateReport(name, settings.dataset, (*map(_left_out, unreadable), *outcomes))
        runner.build()
        write_pages(folder, report, about_data)
        (folder / SUMMARY_FILE).write_text(summary(report))
    return report


def _left_out(path: Path) -> Outcome:
    return Outcome(readable_rule(path), False, 1, str(path))


def _check(gate: Gate, runner: SuiteRunner, settings: Settings, now: datetime) -> tuple[list[Outcome], list[Section]]:
    outcomes, sound = [], []
    for file in (*gate.files, *gate.others):
        found = _check_schema(file, runner)
        outcomes += found
        if not any(outcome.blocks for outcome in found):
            sound.append(file)
    names = {file.name for file in sound}
    with connect(settings) as connection:
        open_files(connection, sound)
        set_timestamps(connection, now, log_end={"events", "impressions"} <= names)
        facts = LogFacts(connection, names, now, _split(settings))
        for file in gate.files:
            rules = [rule for rule in gate.rules if rule.table == file.name]
            ready = [rule for rule in rules if {file.name, *rule.needs} <= names]
            outcomes += [Outcome(rule, None, 0) for rule in rules if rule not in ready]
            if ready:
                outcomes += _check_rows(file, ready, runner, connection, facts)
        return outcomes, gate.about_data(facts)


def _split(settings: Settings) -> dict[str, Any] | None:
    """The data set's own split; None without one. A gate needs no params.yaml."""
    return read_params(settings).get("split") if settings.params_file.exists() else None


def _check_schema(file: TableFile, runner: SuiteRunner) -> list[Outcome]:
    facts = read_facts(file)
    rules = schema_rules_of(file, facts)
    success = runner.run(f"{file.name} schema", schema_expectations(rules), schema_frame(facts))
    return [_schema_outcome(rule, success[rule.column], facts.values[rule.column], file) for rule, _ in rules]


def _schema_outcome(rule: Rule, success: bool, found: str, file: TableFile) -> Outcome:
    example = found if str(file.path) in found else f"{found} in {file.path}"
    return Outcome(rule, success, int(not success), None if success else example)


def _check_rows(
    file: TableFile, rules: list[Rule], runner: SuiteRunner, connection: duckdb.DuckDBPyConnection, facts: LogFacts
) -> list[Outcome]:
    findings = measure(connection, file.name, rules, facts)
    success = runner.run(f"{file.name} rows", row_expectations(rules), row_frame(findings))
    return [Outcome(f.rule, success[f.rule.title], f.unexpected, f.example) for f in findings]
