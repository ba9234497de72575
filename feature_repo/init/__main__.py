"""``python -m feature_repo.init NAME --input PATH``: finds out what a user's files mean, and writes it down.

Writes params/NAME.yaml (how each column of the log is made, with reasons) and params/NAME.dataset.json (the columns of
your own). Edit them freely: a further run keeps your lines and says what changed. Exit status 2: something is open; the
questions are printed with the line that answers each.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from feature_repo.datasets.errors import DatasetError
from feature_repo.init.run import Outcome, check_name, initialise
from feature_repo.init.writing.answers import answers_of
from feature_repo.init.writing.page import changes_page, found_page, meaning_page, questions_page
from feature_repo.init.written import Written
from infra.command import command_settings
from infra.duckdb_connection import connect

NOT_SURE = 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m feature_repo.init",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="of the data set: lower-case letters, digits and underscores")
    parser.add_argument("--input", type=Path, required=True, metavar="PATH", help="folder with the files, or one file")
    parser.add_argument(
        "--set", action="append", default=[], metavar="PLACE=VALUE", dest="answers",
        help="an answer, as in events.event_ts.format=%%d/%%m/%%Y or timezone=Europe/Paris; may be repeated",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="make both files anew; your lines in them are lost")
    parser.add_argument("--quiet", action="store_true", help="print only what changed and what is open")
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    settings = command_settings("feature_repo.init")
    try:
        check_name(arguments.name)
        files = Written.of(arguments.name, settings)
        answers = answers_of(arguments.answers)
        connection = connect(settings)
        with tempfile.TemporaryDirectory(dir=settings.spill_dir, prefix="init-") as scratch:
            outcome = initialise(
                connection, arguments.name, arguments.input, files, answers, Path(scratch), force=arguments.force
            )
    except DatasetError as error:
        print(f"feature_repo.init: {error}", file=sys.stderr)
        return NOT_SURE
    _print(outcome, files, quiet=arguments.quiet)
    return NOT_SURE if outcome.open or outcome.problems else 0


def _print(outcome: Outcome, files: Written, *, quiet: bool) -> None:
    if not quiet:
        print(found_page(outcome.source, outcome.views))
        print(meaning_page(outcome.tree, outcome.reasons, outcome.guess))
    if outcome.changes is not None or outcome.problems:
        told = changes_page(outcome.changes, outcome.problems)
        print(told or "CHANGES\n  none")
    print(f"{'wrote' if outcome.wrote else 'unchanged'}: {files.params} and {files.declaration.name}")
    if outcome.open:
        print(questions_page(outcome.open, str(files.params)))


if __name__ == "__main__":
    sys.exit(main())
