"""Rules of the feature tables beyond their schema: timestamps, arrays, and ids that must be in the log.

The log is what build read: the imported log, the live events and the live changes of items.
"""

from __future__ import annotations

from datetime import timedelta

from feature_repo.definitions.extents import COMPANION_LIMIT, HISTORY_LIMIT, RECENT_LIMIT
from feature_repo.definitions.keys import IDS
from feature_repo.definitions.view import View
from feature_repo.definitions.views import ITEM_ATTRIBUTES, SESSION_STATE, USER_HISTORY, views
from feature_repo.schema import Column, Declaration, DType
from infra.settings import Settings
from validation.gates.rules.log_rules import LOG_END, known_item
from validation.gates.rules.rule import QueryRule, RowRule, Rule, shown
from validation.gates.rules.schema_rules import not_empty, row_rule, schema_rules
from validation.gates.rules.table_file import TableFile

SESSION_ROWS_AFTER_END = timedelta(seconds=2)  # strictly increasing per session, from received_ts + 1 µs
_LOG = ("events", "impressions")
_ALIGNED = (
    ("item_companions", ("companion_items", "companion_shares"), COMPANION_LIMIT),
    (
        "user_history",
        tuple(column.name for column in USER_HISTORY.columns),
        HISTORY_LIMIT,
    ),
    ("session_state", ("recent_items", "recent_actions", "recent_us"), RECENT_LIMIT),
)


def view_file(settings: Settings, view: View) -> TableFile:
    keys = (
        *(Column(name, DType.STRING, "id") for name in view.join_keys),
        Column("event_timestamp", DType.TIMESTAMP, "time from which the row was known"),
        Column("created_timestamp", DType.TIMESTAMP, "time at which the row was published"),
    )
    path = settings.features_dir / f"{view.name}.parquet"
    key = (*view.join_keys, "event_timestamp", *(["created_timestamp"] if view.origin is not None else []))
    return TableFile(view.name, path, key, (*keys, *view.columns))


def feature_files(settings: Settings, declaration: Declaration) -> dict[str, TableFile]:
    return {view.name: view_file(settings, view) for view in views(declaration)}


def feature_rules(settings: Settings, declaration: Declaration) -> list[Rule]:
    files = feature_files(settings, declaration)
    rules: list[Rule] = []
    for view in views(declaration):
        file = files[view.name]
        rules += schema_rules(file)
        if view.origin is None:
            rules += [*_timestamps(file, view), _known_entity(file, view)]
        else:
            rules += [
                _published(file),
                not_empty(file),
                *(_some_known(file, key) for key in view.join_keys if key in IDS),
            ]
    for name, columns, limit in _ALIGNED:
        rules += _arrays(files[name], columns, limit)
    return [*rules, not_empty(files[ITEM_ATTRIBUTES]), _known_category(files[ITEM_ATTRIBUTES])]


def _timestamps(file: TableFile, view: View) -> list[Rule]:
    """Batch rows are at UTC midnights up to the last one in the log, live rows just after what made them."""
    published = _published(file)
    if view.name == SESSION_STATE.name:
        seconds = SESSION_ROWS_AFTER_END.total_seconds()
        text = f"at most {seconds:g} s after the end of the log"
        late = f"event_timestamp > {LOG_END} + INTERVAL {seconds:g} SECOND"
        return [published, row_rule(file, "event_timestamp", text, late, needs=_LOG)]
    late = f"event_timestamp > date_trunc('day', {LOG_END})"
    off = "event_timestamp <> date_trunc('day', event_timestamp)"
    if view.name == ITEM_ATTRIBUTES:  # live rows have their own rule
        late = f"({late}) AND NOT ({off})"
    midnight = _midnight_or_live(file, off) if view.name == ITEM_ATTRIBUTES else None
    return [
        published,
        midnight or row_rule(file, "event_timestamp", "a UTC midnight", off),
        row_rule(file, "event_timestamp", "not after the last midnight of the log", late, needs=_LOG),
    ]


def _published(file: TableFile) -> RowRule:
    text = "not before event_timestamp"
    return row_rule(file, "created_timestamp", text, "created_timestamp < event_timestamp")


def _midnight_or_live(file: TableFile, off: str) -> QueryRule:
    return QueryRule(
        table=file.name,
        column="event_timestamp",
        text="a UTC midnight, or 1 µs after a change of the item",
        needs=("items",),
        query=f"""
            SELECT {shown("event_timestamp", *file.key)} AS example FROM {file.name}
            ANTI JOIN (SELECT item_id, valid_from_ts + INTERVAL 1 MICROSECOND AS event_timestamp FROM items)
                USING (item_id, event_timestamp)
            WHERE {off}
        """,
    )


def _some_known(file: TableFile, key: str) -> QueryRule:
    """A table of a user's own may know more than the log, but where it knows none of the log's ids it has no effect."""
    known = "items" if key == "item_id" else "impressions"
    return QueryRule(
        table=file.name,
        column=key,
        text="some of them are in the log",
        needs=(known, "events"),
        query=f"""
            SELECT {shown(key)} AS example FROM "{file.name}" WHERE NOT EXISTS (
                SELECT 1 FROM "{file.name}"
                WHERE "{key}" IN (SELECT "{key}" FROM {known} UNION SELECT "{key}" FROM events)
            ) LIMIT 1
        """,
    )


def _known_entity(file: TableFile, view: View) -> QueryRule:
    if view.entity == "item":
        return known_item(file) if view.name == ITEM_ATTRIBUTES else _item_of_log(file)
    key = view.join_key
    return QueryRule(
        table=file.name,
        column=key,
        text="is in the log",
        needs=_LOG,
        query=f"""
            SELECT {shown(key)} AS example FROM (
                SELECT DISTINCT "{key}" FROM "{file.name}"
                EXCEPT (SELECT "{key}" FROM events UNION SELECT "{key}" FROM impressions)
            )
        """,
    )


def _item_of_log(file: TableFile) -> QueryRule:
    """An item of a live event may not be in the catalog yet. Its events count all the same."""
    return QueryRule(
        table=file.name,
        column="item_id",
        text="is in items or events",
        needs=("items", "events"),
        query=f"""
            SELECT {shown("item_id")} AS example FROM (
                SELECT DISTINCT item_id FROM "{file.name}"
                EXCEPT (SELECT item_id FROM items UNION SELECT item_id FROM events)
            )
        """,
    )


def _known_category(file: TableFile) -> QueryRule:
    return QueryRule(
        table=file.name,
        column="category_id",
        text="is the category of an item",
        needs=("items",),
        query=f"""
            SELECT {shown("category_id", *file.key)} AS example FROM "{file.name}"
            WHERE category_id IS NOT NULL AND category_id NOT IN (
                SELECT DISTINCT category_id FROM items WHERE category_id IS NOT NULL
            )
        """,
    )


def _arrays(file: TableFile, columns: tuple[str, ...], limit: int) -> list[RowRule]:
    first, *others = columns
    aligned = [
        row_rule(file, other, f"as long as {first}", f'len("{other}") IS DISTINCT FROM len("{first}")', first)
        for other in others
    ]
    return [*aligned, row_rule(file, first, f"at most {limit} values", f'len("{first}") > {limit}')]
