"""Rules of the training set beyond its columns: whole query groups, splits by time, no lost or additional row."""

from __future__ import annotations

from dataclasses import replace

from feature_repo.definitions.view import Feature
from feature_repo.definitions.views import views
from feature_repo.model_features import model_features
from feature_repo.schema import Column, Declaration, DType
from infra.models.model_contract import CATEGORY
from infra.settings import Settings
from validation.gates.rules.log_rules import LOG_END, one_per_slate
from validation.gates.rules.rule import QueryRule, Rule, Severity, shown
from validation.gates.rules.schema_rules import not_empty, row_rule, schema_rules
from validation.gates.rules.table_file import TableFile

TABLE = "training_set"
SPLITS = ("train", "validation", "test")
_KEYS = (
    Column("slate_id", DType.STRING, "slate (query group)"),
    Column("user_id", DType.STRING, "user"),
    Column("session_id", DType.STRING, "session"),
    Column("item_id", DType.STRING, "candidate"),
    Column("event_timestamp", DType.TIMESTAMP, "time at which the slate was scored"),
    Column("position", DType.INT32, "input position, from 0", "rank", minimum=0),
    Column("label", DType.INT32, "graded gain of the feedback", "gain", minimum=0, maximum=4),
    Column("relevant_total", DType.INT32, "items the user wanted, in the slate or not", "items", True, 0),
    Column("split", DType.STRING, "part of the data", allowed=SPLITS),
)


def training_file(settings: Settings, declaration: Declaration) -> TableFile:
    features = tuple(_feature_column(feature, declaration) for feature in model_features(declaration))
    path = settings.training_dir / f"{TABLE}.parquet"
    return TableFile(TABLE, path, ("slate_id", "item_id"), (*_KEYS, *features))


def training_rules(settings: Settings, declaration: Declaration) -> list[Rule]:
    file = training_file(settings, declaration)
    shared = ("user_id", "session_id", "event_timestamp", "relevant_total", "split")
    after = f"event_timestamp > {LOG_END}"
    return [
        *schema_rules(file, nan_is_unknown=True),
        not_empty(file),
        *(one_per_slate(TABLE, column) for column in shared),
        _contiguous(),
        _positions(),
        *(_splits_in_time(earlier, later) for earlier, later in (SPLITS[:2], SPLITS[1:], SPLITS[::2])),
        row_rule(file, "event_timestamp", "not after the end of the log", after, needs=("events", "impressions")),
        _every_impression(),
        _only_impressions(),
        *(_learnable(split) for split in SPLITS),
    ]


def _feature_column(feature: Feature, declaration: Declaration) -> Column:
    """The declared column of the feature, with its range. A derived feature and the context have none."""
    declared = {(view.name, column.name): column for view in views(declaration) for column in view.columns}
    declared |= {("request", fact.name): fact for fact in declaration.facts}
    dtype = DType.STRING if feature.dtype == CATEGORY else DType.FLOAT32
    plain = Column(feature.name, dtype, feature.description, feature.unit)
    return replace(declared.get((feature.source, feature.name), plain), nullable=True)


def _contiguous() -> QueryRule:
    return QueryRule(
        table=TABLE,
        column="slate_id",
        text="rows of a slate are contiguous",
        query=f"""
            SELECT {shown("slate_id", "first_row", "last_row", "rows")} AS example FROM (
                SELECT slate_id, min(file_row_number) AS first_row, max(file_row_number) AS last_row, count(*) AS rows
                FROM {TABLE} GROUP BY slate_id
            ) WHERE last_row - first_row + 1 <> rows
        """,
    )


def _positions() -> QueryRule:
    """The caller's positions may be those of a longer page; the features count the rows of the slate."""
    return QueryRule(
        table=TABLE,
        column="position",
        text="ascends in each slate, in the order of the file",
        query=f"""
            SELECT {shown("slate_id", "before", "position")} AS example FROM (
                SELECT slate_id, position, lag(position) OVER (PARTITION BY slate_id ORDER BY file_row_number) AS before
                FROM {TABLE}
            ) WHERE position <= before
        """,
    )


def _splits_in_time(earlier: str, later: str) -> QueryRule:
    return QueryRule(
        table=TABLE,
        column="split",
        text=f"{earlier} is before {later}",
        query=f"""
            SELECT {shown("slate_id", "event_timestamp", "split")} AS example FROM {TABLE}
            WHERE split = '{earlier}' AND event_timestamp >= (
                SELECT min(event_timestamp) FROM {TABLE} WHERE split = '{later}'
            )
        """,
    )


def _every_impression() -> QueryRule:
    """Some offline stores lose rows in the point-in-time join."""
    return QueryRule(
        table=TABLE,
        column="slate_id, item_id",
        text="has every impression of the log, with its label and position",
        needs=("impressions",),
        query=f"""
            SELECT {shown("slate_id", "item_id", "label", "input_position")} AS example FROM impressions i
            WHERE NOT EXISTS (
                SELECT 1 FROM {TABLE} t WHERE t.slate_id = i.slate_id AND t.item_id = i.item_id
                    AND t.label = i.label AND t.position = i.input_position
            )
        """,
    )


def _only_impressions() -> QueryRule:
    return QueryRule(
        table=TABLE,
        column="slate_id, item_id",
        text="is an impression of the log",
        needs=("impressions",),
        query=f"""
            SELECT {shown("slate_id", "item_id")} AS example FROM {TABLE} t
            WHERE NOT EXISTS (SELECT 1 FROM impressions i WHERE i.slate_id = t.slate_id AND i.item_id = t.item_id)
        """,
    )


def _learnable(split: str) -> QueryRule:
    return QueryRule(
        table=TABLE,
        column="label",
        text=f"above 0 in at least one row of {split}",
        severity=Severity.WARNING,
        query=f"""
            SELECT 'no such row' AS example
            WHERE NOT EXISTS (SELECT 1 FROM {TABLE} WHERE split = '{split}' AND label > 0)
        """,
    )
