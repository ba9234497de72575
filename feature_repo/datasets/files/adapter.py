"""The adapter ``files``: a user's own files in their own shape -> the canonical log.

The mapping in params/NAME.yaml says which columns hold what (:mod:`feature_repo.datasets.files.mapping`). What it does
not name is made (:mod:`feature_repo.datasets.files.completion`), and the result is checked and written as the adapter
parquet does. Notes beside the log say what was dropped, mended or made, and why.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

from feature_repo.datasets.declarations.user_declaration import user_declaration
from feature_repo.datasets.errors import DatasetError, raise_all
from feature_repo.datasets.files.completion.events import drop_returns, event_faults, round_quantities
from feature_repo.datasets.files.completion.given import gather
from feature_repo.datasets.files.completion.ids import make_event_ids, make_slate_ids
from feature_repo.datasets.files.completion.items import complete_items, item_faults
from feature_repo.datasets.files.completion.known_facts import complete_facts
from feature_repo.datasets.files.completion.made_slates import make_slates
from feature_repo.datasets.files.completion.made_times import make_times
from feature_repo.datasets.files.completion.people import complete_people
from feature_repo.datasets.files.completion.relative_times import place_orders
from feature_repo.datasets.files.completion.slates import complete_slates, slate_faults
from feature_repo.datasets.files.mapping import SourceMapping
from feature_repo.datasets.files.reading.mapped_file import map_file
from feature_repo.datasets.files.source import files_source
from feature_repo.datasets.files.staging import Staging
from feature_repo.datasets.log_writer import LogWriter
from feature_repo.datasets.own_log import write_tables
from feature_repo.schema import Declaration, Table, log_tables
from infra.duckdb_connection import connect
from infra.progress import step
from infra.settings import Settings


def write_log(out: Path, *, source: Path | None, size: int | None, settings: Settings) -> None:
    """``source``: replaces the mapping's input. ``size``: the number of slates, a seeded sample; default all.

    Raises DatasetError for a mapping that is missing or cannot be applied, BadSource or BadSources for the files.
    """
    own = files_source(settings, source)
    if own.folder.resolve() == out.resolve():
        raise DatasetError(f"{own.folder} is both --input and --out: the source would be replaced")
    declaration = user_declaration(own.folder, settings, own.declaration)
    write_mapped(out, own.folder, declaration, size, settings, lambda _: own.mapping)


def write_mapped(
    out: Path,
    folder: Path,
    declaration: Declaration,
    size: int | None,
    settings: Settings,
    mapping_of: Callable[[Staging], SourceMapping],
) -> None:
    """Write the log of the files below ``folder``. Raises DatasetError."""
    tables = log_tables(declaration)
    settings.spill_dir.mkdir(parents=True, exist_ok=True)
    with (
        connect(settings) as connection,
        LogWriter(out, declaration) as log,
        tempfile.TemporaryDirectory(dir=settings.spill_dir, prefix="files-") as scratch,
    ):
        staging = Staging(connection, Path(scratch), log)
        mapping = mapping_of(staging)
        given = read_files(staging, folder, mapping, tables)
        complete(staging, mapping, tables, given)
        for table in tables:
            _finish(connection, table)
        write_tables(connection, log, declaration, size)
        staging.print_notes()


def read_files(staging: Staging, folder: Path, mapping: SourceMapping, tables: Sequence[Table]) -> dict[str, set[str]]:
    """Create ``given_TABLE``. Returns the columns that the files give each table. Raises all faults of all files."""
    by_name = {table.name: table for table in tables}
    faults: list[DatasetError] = []
    mapped: dict[str, list[int]] = {table.name: [] for table in tables}
    for number, file in enumerate(mapping.files):
        with step(f"reading {file.path} for {file.table}"):
            faults += map_file(staging, folder, number, file, by_name[file.table])
        mapped[file.table].append(number)
    if not mapped["impressions"] and mapping.slates is None:
        faults.append(DatasetError(_NO_LISTS))
    if mapping.slates is not None and not mapped["events"]:
        faults.append(DatasetError("log.slates makes lists from events, and no entry of log.files has table: events"))
    raise_all(faults)
    return {table.name: gather(staging, table, mapped[table.name]) for table in tables}


_NO_LISTS = (
    "no entry of log.files has table: impressions: nothing says which lists were shown. Where the files hold none, "
    "lists are made from events by slates: {targets: [order]}"
)


def complete(staging: Staging, mapping: SourceMapping, tables: Sequence[Table], given: dict[str, set[str]]) -> None:
    """Fill what the files do not say. Raises DatasetError for what cannot be made, all of one stage at once."""
    items, events, impressions = tables
    with step("times and ids"):
        drop_returns(staging)
        round_quantities(staging)
        place_orders(staging)
        raise_all(make_slate_ids(staging))
        if mapping.times == "made":
            make_times(staging)
        raise_all([*event_faults(staging), *slate_faults(staging), *item_faults(staging)])
        make_event_ids(staging, events, given["events"])
    with step("users and sessions"):
        complete_people(staging, mapping)
    with step("lists"):
        complete_slates(staging, impressions, given["impressions"])
    with step("items"):
        complete_items(staging, mapping, items)
        complete_facts(staging, events)
    if mapping.slates is not None:
        make_slates(staging, mapping.slates)


def _finish(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    received = " REPLACE (coalesce(received_ts, event_ts) AS received_ts)" if table.name == "events" else ""
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {table.name} AS SELECT *{received} FROM given_{table.name}")
