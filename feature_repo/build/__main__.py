"""``python -m feature_repo.build [--until TIMESTAMP]``: the canonical log -> feature parquet."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from feature_repo.build import (
    item_attributes,
    item_companions,
    item_repeats,
    item_windows,
    own_views,
    session_state,
    user_history,
    user_windows,
)
from feature_repo.build.feature_writer import write_view
from feature_repo.build.log_views import end_of_log, last_midnight, open_log
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.views import ITEM_WINDOWS, USER_HISTORY, USER_WINDOWS, item_attributes_view, views
from feature_repo.live.checked_events import live_events
from feature_repo.live.event_files import reading
from infra.command import command_settings
from infra.duckdb_connection import connect
from infra.progress import step
from infra.settings import Settings

BUILD_FILE = "build.json"


def build(settings: Settings, until: datetime | None = None) -> None:
    """Write every feature table below ``settings.features_dir``: all of them or none.

    The log is the imported one and the live events (:mod:`feature_repo.live.checked_events`). Batch rows end with the
    last midnight up to ``until``, because a day is known only after its end. ``until`` is by default the end of the
    log. Raises DatasetError for an unusable log.
    """
    with reading(settings.live_dir):
        _build(settings, until)


def _build(settings: Settings, until: datetime | None) -> None:
    declaration = declaration_of(settings)
    connection = connect(settings)
    live = live_events(settings)
    open_log(connection, settings, live)
    end = end_of_log(connection)
    last = last_midnight(until or end)
    first = _first_event(connection) or last
    final = settings.features_dir
    folder = final.with_name(f".{final.name}.{os.getpid()}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with step("item_attributes"):
            write_view(
                connection, item_attributes_view(declaration), [item_attributes.query(last, declaration)], folder
            )
        with step("item_windows"):
            item_windows.prepare(connection, last)
            write_view(connection, ITEM_WINDOWS, [item_windows.query()], folder)
        with step("item_companions"):
            item_companions.write(connection, first, last, folder)
        with step("item_repeats"):
            item_repeats.write(connection, first, last, folder)
        with step("user_windows"):
            write_view(connection, USER_WINDOWS, [user_windows.query(last)], folder)
        with step("user_history"):
            write_view(connection, USER_HISTORY, user_history.queries(connection, last), folder)
        for view in views(declaration):
            if view.origin is not None:
                with step(f"{view.name}, copied from {view.origin.path}"):
                    own_views.write(connection, view, view.origin, folder)
        connection.close()
        with step("session_state"):
            session_state.write(settings, live, folder)
        (folder / BUILD_FILE).write_text(json.dumps({"end_of_log": end.isoformat(), "until": last.isoformat()}))
        _replace(final, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _first_event(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    row = connection.execute("SELECT min(received_ts) FROM events").fetchall()[0]
    return None if row[0] is None else row[0].astimezone(UTC)


def _replace(final: Path, folder: Path) -> None:
    retired = final.with_name(f".{final.name}.{os.getpid()}.old")
    if final.exists():
        final.rename(retired)
    folder.rename(final)
    shutil.rmtree(retired, ignore_errors=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m feature_repo.build", description=__doc__)
    parser.add_argument(
        "--until", type=datetime.fromisoformat, help="time of the last batch rows; default: end of the log"
    )
    arguments = parser.parse_args(argv)
    until = arguments.until
    if until is not None and until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    try:
        build(command_settings(), until)
    except DatasetError as error:
        print(f"feature_repo.build: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
