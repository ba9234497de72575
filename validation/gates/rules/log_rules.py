"""Rules of the canonical log beyond its schema: ids, categories, timestamps and query groups."""

from __future__ import annotations

from feature_repo.schema import Declaration, log_tables
from infra.settings import Settings
from validation.gates.rules.id_rules import id_rules
from validation.gates.rules.label_rules import label_rules
from validation.gates.rules.price_rules import price_rules
from validation.gates.rules.rule import QueryRule, RowRule, Rule, Severity, shown
from validation.gates.rules.schema_rules import not_empty, row_rule, schema_rules
from validation.gates.rules.table_file import TableFile
from validation.gates.rules.thresholds import CLOCK_SKEW_SHARE, UNKNOWN_CATEGORY_SHARE, UNKNOWN_PRICE_SHARE
from validation.gates.rules.time_rules import time_rules

LOG_END = "getvariable('log_end')"
NOW = "getvariable('now')"


def log_files(settings: Settings, declaration: Declaration) -> tuple[TableFile, TableFile, TableFile]:
    """(items, events, impressions)."""
    items, events, impressions = (
        TableFile(table.name, settings.log_dir / f"{table.name}.parquet", table.key, table.columns)
        for table in log_tables(declaration)
    )
    return items, events, impressions


def log_rules(settings: Settings, declaration: Declaration) -> list[Rule]:
    items, events, impressions = log_files(settings, declaration)
    return [
        *(rule for file in (items, events, impressions) for rule in schema_rules(file)),
        not_empty(items),
        not_empty(impressions),
        *(known_item(file) for file in (events, impressions)),
        _known_category(events),
        *_timestamps(items, events, impressions),
        *_query_groups(impressions, declaration),
        *_warnings(events, declaration),
        *id_rules(),
        *time_rules(),
        *label_rules(),
        *price_rules(),
    ]


def known_item(file: TableFile) -> QueryRule:
    """Every item_id of ``file`` has a row in the log's items."""
    return QueryRule(
        table=file.name,
        column="item_id",
        text="is in items",
        needs=("items",),
        query=f"""
            SELECT {shown("item_id", *file.key)} AS example FROM "{file.name}"
            WHERE item_id IN (
                SELECT DISTINCT item_id FROM "{file.name}" WHERE item_id IS NOT NULL
                EXCEPT SELECT item_id FROM items
            )
        """,
        advice="Give each of these items a row in items, dated before it is shown or touched, or leave its rows out.",
    )


def _known_category(events: TableFile) -> QueryRule:
    return QueryRule(
        table="events",
        column="category_id",
        text="is the category of an item",
        needs=("items",),
        query=f"""
            SELECT {shown("category_id", *events.key)} AS example FROM events
            WHERE category_id IS NOT NULL AND category_id NOT IN (
                SELECT DISTINCT category_id FROM items WHERE category_id IS NOT NULL
            )
        """,
    )


def _timestamps(items: TableFile, events: TableFile, impressions: TableFile) -> list[RowRule]:
    """The timestamps that define the end of the log are not after ``now``; the others are not after the end."""
    end = ("events", "impressions")
    zone = "Look at the clock, the time zone and the unit of these times."
    export = "A catalog that was exported after the log knows nothing in time: date it before the first slate."
    return [
        row_rule(events, "received_ts", "not in the future", f"received_ts > {NOW}", advice=zone),
        row_rule(impressions, "shown_ts", "not in the future", f"shown_ts > {NOW}", advice=zone),
        row_rule(events, "event_ts", "not after the end of the log", f"event_ts > {LOG_END}", needs=end, advice=zone),
        row_rule(
            items,
            "valid_from_ts",
            "not after the end of the log",
            f"valid_from_ts > {LOG_END}",
            needs=end,
            advice=export,
        ),
    ]


def _query_groups(impressions: TableFile, declaration: Declaration) -> list[QueryRule]:
    shared = ("user_id", "session_id", "shown_ts", "relevant_total", *(c.name for c in declaration.context))
    return [
        *(one_per_slate(impressions.name, column) for column in shared),
        _slates(
            "input_position",
            "different for all rows of a slate",
            "count(DISTINCT input_position) <> count(*)",
            "list(input_position ORDER BY input_position)",
        ),
        _slates(
            "relevant_total",
            "at least the slate's positives",
            "any_value(relevant_total) < count(*) FILTER (label > 0)",
            "any_value(relevant_total)",
        ),
    ]


def one_per_slate(table: str, column: str) -> QueryRule:
    """All rows of a slate have the same value of the column, or all have none."""
    return QueryRule(
        table=table,
        column=column,
        text="the same in all rows of a slate",
        query=f"""
            SELECT {shown("slate_id", "lowest", "highest", "known", "rows")} AS example FROM (
                SELECT slate_id, min("{column}") AS lowest, max("{column}") AS highest,
                    count("{column}") AS known, count(*) AS rows
                FROM "{table}" GROUP BY slate_id
            ) WHERE lowest <> highest OR known NOT IN (0, rows)
        """,
    )


def _slates(column: str, text: str, breaks: str, value: str) -> QueryRule:
    query = f"""
        SELECT {shown("slate_id", column)} AS example FROM (
            SELECT slate_id, {value} AS "{column}" FROM impressions GROUP BY slate_id HAVING {breaks}
        )
    """
    return QueryRule(table="impressions", column=column, text=text, query=query)


def _warnings(events: TableFile, declaration: Declaration) -> list[RowRule]:
    clocks = "An event cannot be received before it happened: look at the clocks of whoever sends them."
    unknown = "Give the event what its item had at that time. Without it, features of categories and prices are poorer."
    limits = [
        ("event_ts", "not after received_ts", "event_ts > received_ts", CLOCK_SKEW_SHARE, clocks),
        (
            "category_id",
            "known for items",
            _unknown("category_id"),
            UNKNOWN_CATEGORY_SHARE,
            unknown,
        ),
    ]
    if declaration.price_required:
        limits.append(("price", "known for items", _unknown("price"), UNKNOWN_PRICE_SHARE, unknown))
    return [
        RowRule(
            table="events",
            column=column,
            text=f"{text} (at least {1 - share:.0%} of rows)",
            severity=Severity.WARNING,
            tolerated=share,
            breaks=breaks,
            shows=(column, *events.key),
            needs=("items",),
            advice=advice,
        )
        for column, text, breaks, share, advice in limits
    ]


def _unknown(column: str) -> str:
    """SQL for an event of an item without the attribute. Where no item has it, the source knows none."""
    return f"item_id IS NOT NULL AND {column} IS NULL AND (SELECT count({column}) > 0 FROM items)"
