"""``python -m validation {log,features,training_set,all}``: check the data quality of one data set.

Writes ``report.html``, ``summary.md`` and Data Docs to ``<data>/<dataset>/reports/validation/<gate>/``. The page of the
log is the import report. The exit status is 1 if a blocking rule is broken or a table cannot be checked. Warnings are
printed and do not block.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime

from feature_repo.datasets.errors import DatasetError
from infra.clock import WallClock
from infra.command import command_settings
from infra.params import BadParams
from infra.settings import Settings
from validation.gates.gates import GATES, Unreadable, report_folder, run_gate
from validation.gates.report.gate_page import PAGE_FILE, TITLES


def _run(gate: str, settings: Settings, now: datetime) -> bool:
    """Run one gate and print its outcome. Returns whether it passed."""
    try:
        report = run_gate(gate, settings, now)
    except (BadParams, DatasetError, Unreadable) as error:
        print(f"validation: {error}", file=sys.stderr)
        return False
    for outcome in report.failures:
        print(f"validation: {outcome.line}", file=sys.stderr)
    page = report_folder(settings, gate) / PAGE_FILE
    unknown = sum(outcome.success is None for outcome in report.outcomes)
    print(
        f"validation {gate}: {'BLOCKED' if report.blocked else 'passed'}: {len(report.outcomes)} expectations, "
        f"{len(report.failures)} failed, {unknown} not checked\n"
        f"{TITLES[gate]}: {page}"
    )
    return not report.blocked


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation", description=__doc__)
    parser.add_argument("gate", choices=[*GATES, "all"])
    chosen = parser.parse_args(argv).gate
    settings, now = command_settings(), WallClock().now()
    passed = [_run(gate, settings, now) for gate in (GATES if chosen == "all" else (chosen,))]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
