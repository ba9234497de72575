"""Items: catalog rows, what events and impressions say of an item, and a row for every item that is used.

A row holds from its valid_from_ts. A catalog row without one holds from a day before the log. What the log's files say
holds from when they say it. Rows that repeat the item's row before them are left out, and so is what became known after
the log's end.
"""

from __future__ import annotations

from feature_repo.datasets.checks.values import FILE, ROW
from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.files.completion.given import missing
from feature_repo.datasets.files.mapping import SourceMapping
from feature_repo.datasets.files.staging import Staging
from feature_repo.schema import Table
from infra.limits import EARLIEST

_SAID = ("category_id", "price")  # of an item, in events


def item_faults(staging: Staging) -> list[BadSource]:
    return missing(staging, "given_items", "item_id", "map it, or leave the row out by where")


def complete_items(staging: Staging, mapping: SourceMapping, items: Table) -> None:
    """Make ``given_items`` whole, from ``given_events`` and ``given_impressions`` too."""
    staging.save("used_items", _USED)
    first, end = staging.row(_SPAN)
    if first is None:
        return
    staging.connection.execute(
        f"SET VARIABLE before_log = greatest(date_trunc('day', TIMESTAMPTZ '{first}') - INTERVAL 1 DAY, "
        f"TIMESTAMPTZ '{EARLIEST.isoformat()}'); SET VARIABLE end_of_log = TIMESTAMPTZ '{end}'"
    )
    if not staging.count("given_items"):
        _items_of_events(staging)
    _dates(staging, mapping)
    if sum(file.table == "items" for file in mapping.files) > 1:
        _filled(staging, items)
    _versions(staging, items)
    _unknown_items(staging)
    _unknown_categories(staging)


_USED = f"""
    SELECT item_id, min(t) AS first_use, min({FILE}) AS {FILE}, min({ROW}) AS {ROW} FROM (
        SELECT item_id, event_ts AS t, {FILE}, {ROW} FROM given_events WHERE item_id IS NOT NULL
        UNION ALL SELECT item_id, shown_ts, {FILE}, {ROW} FROM given_impressions
    ) GROUP BY item_id
"""
_SPAN = """
    SELECT min(t), max(t) FROM (
        SELECT coalesce(received_ts, event_ts) AS t FROM given_events UNION ALL
        SELECT shown_ts FROM given_impressions
    )
"""


def _items_of_events(staging: Staging) -> None:
    """What an event does not say stays as an earlier event said it."""
    said = ", ".join(
        f"last_value({name} IGNORE NULLS) OVER (PARTITION BY item_id ORDER BY event_ts, event_id) AS {name}"
        for name in _SAID
    )
    staging.save(
        "given_items",
        f"""
        SELECT * FROM given_items UNION ALL BY NAME
        SELECT item_id, event_ts AS valid_from_ts, {said}, {FILE}, {ROW} FROM given_events WHERE item_id IS NOT NULL
        """,
    )
    count = staging.count("used_items")
    staging.note("items", "items made", count, "no file holds items: they are what events and impressions say")


def _dates(staging: Staging, mapping: SourceMapping) -> None:
    undated = staging.count("given_items", "valid_from_ts IS NULL")
    staging.note("items", "rows dated before the log", undated, "they have no valid_from_ts")
    dated = "coalesce(valid_from_ts, getvariable('before_log'))"
    staging.save("given_items", f"SELECT * REPLACE ({dated} AS valid_from_ts) FROM given_items")
    staging.save(
        "late_items",
        """
        SELECT item_id, dated
        FROM (SELECT item_id, min(valid_from_ts) AS dated FROM given_items GROUP BY item_id)
            JOIN used_items USING (item_id) WHERE dated > first_use
        """,
    )
    count, example = staging.row("SELECT count(*), min(item_id || ', ' || dated) FROM late_items")
    if mapping.catalog == "from_start":
        from_start = "CASE WHEN valid_from_ts = dated THEN getvariable('before_log') ELSE valid_from_ts END"
        staging.save(
            "given_items",
            f"""
            SELECT * EXCLUDE (dated) REPLACE ({from_start} AS valid_from_ts)
            FROM given_items LEFT JOIN late_items USING (item_id)
            """,
        )
        staging.note(
            "items", "items dated before the log", count, "they are used before their first row", example or ""
        )
    else:
        staging.note(
            "items", "items of unknown attributes until their first row", count,
            "they are used before it; catalog: from_start in the mapping dates it before the log", example or "",
        )  # fmt: skip
    after = "valid_from_ts > getvariable('end_of_log')"
    staging.note_where("items", "given_items", after, "item_id", "rows dropped", "they are dated after the log's end")
    staging.save("given_items", f"SELECT * FROM given_items WHERE NOT {after}")


def _filled(staging: Staging, items: Table) -> None:
    """Where several entries say something of an item, what one does not say stays as it was known."""
    names = [f'"{column.name}"' for column in items.columns if column.name not in items.key]
    known = ", ".join(f"min({name}) AS {name}" for name in names)
    last = ", ".join(f"last_value({name} IGNORE NULLS) OVER so_far AS {name}" for name in names)
    filled = ", ".join(f"coalesce(g.{name}, k.{name}) AS {name}" for name in names)
    staging.save(
        "given_items",
        f"""
        WITH at_once AS (SELECT item_id, valid_from_ts, {known} FROM given_items GROUP BY item_id, valid_from_ts),
        known AS (
            SELECT item_id, valid_from_ts, {last} FROM at_once
            WINDOW so_far AS (PARTITION BY item_id ORDER BY valid_from_ts)
        )
        SELECT g.* REPLACE ({filled}) FROM given_items g JOIN known k USING (item_id, valid_from_ts)
        """,
    )


def _versions(staging: Staging, items: Table) -> None:
    """One row per item and time, and only those that change something."""
    names = [f'"{column.name}"' for column in items.columns if column.name not in items.key]
    values, known_first = ", ".join(names), ", ".join(f"{name} NULLS LAST" for name in names)
    staging.save(
        "one_version",
        f"""
        SELECT *, row_number() OVER (PARTITION BY item_id, valid_from_ts ORDER BY {known_first}) AS number,
            count(*) OVER (PARTITION BY item_id, valid_from_ts) - count(*) OVER (
                PARTITION BY item_id, valid_from_ts, {values}
            ) AS others
        FROM given_items
        """,
    )
    staging.note_where(
        "items", "one_version", "number > 1 AND others > 0", "item_id || ', ' || valid_from_ts",
        "rows dropped", "another row of the same item and time says something else",
    )  # fmt: skip
    before = ", ".join(f"lag({name}) OVER by_item" for name in names)
    staging.save(
        "given_items",
        f"""
        SELECT * EXCLUDE (number, others) FROM one_version WHERE number = 1
        WINDOW by_item AS (PARTITION BY item_id ORDER BY valid_from_ts)
        QUALIFY row({values}) IS DISTINCT FROM row({before}) OR row_number() OVER by_item = 1
        """,
    )


def _unknown_items(staging: Staging) -> None:
    """A row of nulls from the first use on, where there is none."""
    unknown = "(FROM used_items ANTI JOIN given_items USING (item_id))"
    why = "they are used, and no row says what they are"
    staging.note_where("items", unknown, "true", "item_id", "items without attributes added", why)
    staging.save(
        "given_items",
        f"""
        SELECT * FROM given_items UNION ALL BY NAME
        SELECT item_id, first_use AS valid_from_ts, {FILE}, {ROW} FROM {unknown}
        """,
    )


def _unknown_categories(staging: Staging) -> None:
    """An event's category is one of an item, or unknown."""
    categories = "SELECT DISTINCT category_id FROM given_items WHERE category_id IS NOT NULL"
    unknown = f"category_id IS NOT NULL AND category_id NOT IN ({categories})"
    if not staging.count("given_events", unknown):
        return
    staging.note_where("events", "given_events", unknown, "category_id", "categories made unknown", "no item has them")
    known = f"CASE WHEN category_id IN ({categories}) THEN category_id END"
    staging.save("given_events", f"SELECT * REPLACE ({known} AS category_id) FROM given_events")
