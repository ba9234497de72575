"""All measures of an open log. Each is made when it is first asked for, and once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache, cached_property
from typing import Any

import duckdb

from validation.gates.facts.catalog import CatalogFacts, catalog_facts
from validation.gates.facts.columns import TableFacts, table_facts
from validation.gates.facts.days import DayFacts, day_facts
from validation.gates.facts.id_overlap import Overlap, count_ids, overlap
from validation.gates.facts.outcomes import OutcomeFacts, outcome_facts
from validation.gates.facts.positions import PositionShare, position_shares
from validation.gates.facts.prices import PriceFacts, price_facts
from validation.gates.facts.shared_sessions import SharedSessions, shared_sessions
from validation.gates.facts.slates import SlateFacts, slate_facts
from validation.gates.facts.time_span import TimeSpan, time_span


class LogFacts:
    """``tables``: the views that are open; a measure of another one raises duckdb.Error.

    now:   later timestamps are in the future
    split: the parameters of the split of slates by time
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        tables: Collection[str],
        now: datetime,
        split: Mapping[str, Any] | None = None,
    ) -> None:
        self.tables = frozenset(tables)
        self.now = now
        self._connection = connection
        self._split = split
        self.overlap = cache(self._overlap)
        self.span = cache(self._span)
        self.prices = cache(self._prices)
        self.columns = cache(self._columns)
        self.positions = cache(self._positions)

    def has(self, *tables: str) -> bool:
        return self.tables.issuperset(tables)

    @cached_property
    def slates(self) -> SlateFacts | None:
        """None without a slate."""
        return slate_facts(self._connection, self._split)

    @cached_property
    def outcomes(self) -> OutcomeFacts:
        return outcome_facts(self._connection)

    @cached_property
    def catalog(self) -> CatalogFacts:
        return catalog_facts(self._connection)

    @cached_property
    def days(self) -> DayFacts:
        return day_facts(self._connection)

    @cached_property
    def sessions(self) -> SharedSessions:
        return shared_sessions(self._connection, [each for each in ("events", "impressions") if self.has(each)])

    @cached_property
    def _counted_ids(self) -> duckdb.DuckDBPyConnection:
        count_ids(self._connection, self.tables)
        return self._connection

    def _overlap(self, column: str, left: str, right: str) -> Overlap:
        return overlap(self._counted_ids, column, left, right)

    def _span(self, table: str, column: str) -> TimeSpan:
        return time_span(self._connection, table, column)

    def _prices(self, table: str, column: str) -> PriceFacts:
        return price_facts(self._connection, table, column)

    def _columns(self, table: str) -> TableFacts:
        return table_facts(self._connection, table)

    def _positions(self, column: str) -> Sequence[PositionShare]:
        return position_shares(self._connection, column)
