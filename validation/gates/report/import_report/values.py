"""What stands in the columns."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from validation.gates.facts.columns import ColumnFacts, TableFacts
from validation.gates.facts.log_facts import LogFacts
from validation.gates.facts.prices import COLUMNS, QUANTILES, PriceFacts
from validation.gates.report.content import Block, Kind, Table, Text, number, percent

HEADER = ("column", "type", "nulls", "share", "distinct", "least", "greatest")
TABLES = ("items", "events", "impressions")
TYPES = {"VARCHAR": "text", "TIMESTAMP WITH TIME ZONE": "timestamp", "BIGINT": "integer"}


def price_blocks(facts: LogFacts) -> Sequence[Block]:
    found = [facts.prices(table, column) for table, column in COLUMNS]
    known = [each for each in found if each.known]
    if not known:
        return [Text("The log has no prices.")]
    names = [{0.0: "least", 0.5: "median", 1.0: "greatest"}.get(share, f"{share:.0%}") for share in QUANTILES]
    header = ("column", "known", *names, "most frequent")
    notes = [f"{each.table}.{each.column} has no value." for each in found if not each.known]
    zeros = [each for each in known if each.zero]
    notes += [f"{each.table}.{each.column} is 0.00 in {percent(each.zero, each.known)} of them." for each in zeros]
    return [Table(header, [_price(each) for each in known]), *([Text(" ".join(notes))] if notes else [])]


def _price(found: PriceFacts) -> tuple[str, ...]:
    value, rows = found.common or (found.quantiles[0], 0)
    return (
        f"{found.table}.{found.column}",
        percent(found.known, found.rows),
        *map(_money, found.quantiles),
        f"{_money(value)} ({percent(rows, found.known)})",
    )


def _money(value: Decimal) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def column_blocks(facts: LogFacts) -> Sequence[Block]:
    return [block for name in TABLES for block in _table(facts, name)]


def _table(facts: LogFacts, name: str) -> Sequence[Block]:
    if not facts.has(name):
        return [Text(f"Not measured: {name} cannot be read as declared.", Kind.MISSING)]
    found = facts.columns(name)
    repeated = (
        ""
        if found.repeated is None
        else (
            f"{found.repeated:,} rows of {name} ({percent(found.repeated, found.rows)}) are the same as another "
            "but for their id."
        )
    )
    about = "" if found.exact else f"Distinct values of {name} are approximate."
    title = f"{name}: {found.rows:,} rows, {len(found.columns)} columns"
    table = Table(HEADER, [_column(found, each) for each in found.columns], texts=True, folded=title)
    return [table, *(Text(text, Kind.NOTE) for text in (repeated, about) if text)]


def _column(table: TableFacts, found: ColumnFacts) -> tuple[str, ...]:
    about = "" if table.exact else "≈ "
    return (
        found.name,
        TYPES.get(found.type, found.type.lower()),
        number(found.nulls),
        percent(found.nulls, found.rows),
        "-" if found.distinct is None else f"{about}{found.distinct:,}",
        found.least or "-",
        found.greatest or "-",
    )
