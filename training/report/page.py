"""``python -m training.report``: the write-up of the data set's study as ``data/NAME/reports/experiments.html``.

    python -m training.report [--at TIMESTAMP]

The page is made from the runs that exist and starts none. What was not run is named with its command.
"""

from __future__ import annotations

import argparse
import sys
from html import escape
from pathlib import Path

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from infra.arguments import timestamp
from infra.command import command_params, command_settings
from infra.report_page.page import page, write_page
from training.report import algorithms, buyers, data, examples, hypotheses, method, tuning, validation
from training.report.study import Section, Study

FILE = "experiments.html"


def sections(study: Study) -> list[Section]:
    return [
        data.section(study),
        method.stack(study),
        method.method(study),
        hypotheses.section(study),
        algorithms.section(study),
        tuning.section(study),
        validation.section(study),
        buyers.section(study),
        examples.section(study),
    ]


def render(study: Study) -> str:
    """The page. All texts from logs and runs are escaped."""
    found = sections(study)
    links = "".join(f'<li><a href="#{each.anchor}">{escape(each.title)}</a></li>' for each in found)
    head = (
        f"<h1>Experiments: {escape(study.settings.dataset)}</h1>\n"
        "<p class=note>Made from the runs of this data set; what was not run is said, with the command that runs "
        f"it.</p>\n<nav><ul>{links}</ul></nav>\n"
    )
    return page(f"Experiments: {study.settings.dataset}", head + "".join(each.html() for each in found))


def write_experiments(study: Study) -> Path:
    """Returns the path of the page. Raises DatasetError for a data set without a log."""
    declaration_of(study.settings)
    return write_page(study.settings.reports_dir / FILE, render(study))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--at",
        type=timestamp,
        metavar="TIMESTAMP",
        help="describe the log as it was known then; default: all of it",
    )
    arguments = parser.parse_args(argv)
    settings = command_settings()
    try:
        print(write_experiments(Study(settings, command_params(settings), arguments.at)))
    except DatasetError as error:
        print(f"training.report: {error}", file=sys.stderr)
        return 2
    return 0
