"""A feature view and a model input, as build, gates, training and serving read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import pyarrow as pa

from feature_repo.schema import LISTS, Column, DType, arrow_schema

FEATURE_SERVICE = "ranker_v1"
KEYED = "keyed"  # the entity of a view that is read by other keys than one id


@dataclass(frozen=True)
class SimilarColumn(Column):
    """A list that is compared with another one: ``similar_to`` is its ``view:column``."""

    similar_to: str = ""
    similarity: str = ""


@dataclass(frozen=True)
class Origin:
    """The table of a user's own that a view is copied from. ``path``: relative to the project, or absolute.

    ``timestamp``: its column with the time from which a row was known. ``created``: that of its correction, or "".
    """

    path: str
    timestamp: str
    created: str = ""


@dataclass(frozen=True)
class View:
    """A feature view.

    Float32 columns are model features as they are, strings are categories. The other columns are inputs of derived
    features. ``entity``: item, user or session; or KEYED, with the join keys in ``keys``. ``granularity``: when rows
    appear. ``created_timestamp`` is ``event_timestamp`` plus ``publish_delay``.
    """

    name: str
    entity: str
    description: str
    ttl: timedelta
    granularity: str
    publish_delay: timedelta
    columns: tuple[Column, ...]
    origin: Origin | None = None  # None: built from the log
    keys: tuple[str, ...] = ()

    @property
    def join_keys(self) -> tuple[str, ...]:
        return self.keys or (f"{self.entity}_id",)

    @property
    def join_key(self) -> str:
        """Of a view that has one."""
        (name,) = self.join_keys
        return name

    @cached_property
    def ttl_us(self) -> int:
        return self.ttl // timedelta(microseconds=1)

    @cached_property
    def aligned_lists(self) -> list[list[str]]:
        """Names of the lists that are aligned element by element: ``history_items``, ``history_counts``, …

        Those of a user's own table stand each for itself, whatever their names.
        """
        if self.origin is not None:
            return []
        found: dict[str, list[str]] = {}
        for column in self.columns:
            if column.dtype in LISTS:
                found.setdefault(column.name.split("_")[0], []).append(column.name)
        return list(found.values())

    @property
    def arrow(self) -> pa.Schema:
        return arrow_schema(
            (
                *(Column(name, DType.STRING, "id") for name in self.join_keys),
                Column("event_timestamp", DType.TIMESTAMP, "time from which the row was known"),
                Column("created_timestamp", DType.TIMESTAMP, "time when the row was published"),
                *self.columns,
            )
        )


@dataclass(frozen=True)
class Feature:
    """One model input. ``source`` is a view's name, ``derived``, ``request`` or ``candidates``."""

    name: str
    source: str
    description: str
    unit: str = ""
    dtype: str = "float32"
