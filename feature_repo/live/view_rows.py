"""Rows of a view that are written live, in the form of Feast's Redis store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from feature_repo.definitions.view import View
from feature_repo.definitions.views import value_types
from feature_repo.online.rows import Layout, Rows, rows_of_batch

MICROSECONDS = 1_000_000


def delay_us(view: View) -> int:
    """The view's publish delay."""
    return round(view.publish_delay.total_seconds() * MICROSECONDS)


def view_rows(view: View, project: str, found: Iterable[tuple[str, int, Mapping[str, Any]]]) -> Rows:
    """One row per (join key, event timestamp in µs, column -> value). Raises BadRows."""
    columns: dict[str, list[Any]] = {name: [] for name in view.arrow.names}
    for key, event_us, values in found:
        row = {
            view.join_key: key,
            "event_timestamp": event_us,
            "created_timestamp": event_us + delay_us(view),
            **{column.name: values[column.name] for column in view.columns},
        }
        for name, value in row.items():
            columns[name].append(value)
    schema = pa.schema([field.with_nullable(True) for field in view.arrow])
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    return rows_of_batch(pa.RecordBatch.from_arrays(arrays, schema=schema), _layout(view, project))


def _layout(view: View, project: str) -> Layout:
    types = value_types(view)
    return Layout(
        view=view.name,
        project=project,
        join_keys={view.join_key: types.pop(view.join_key)},
        features=types,
        event_column="event_timestamp",
        created_column="created_timestamp",
    )
