"""The slates: their sizes, the split that training will cut, and where the positives are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from feature_repo.times.time_split import SPLITS, BadSplit, TimeSplit, time_split
from validation.gates.facts.time_span import instant

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
KNOWN = "slate_id IS NOT NULL AND shown_ts IS NOT NULL AND label IS NOT NULL"  # a row without them breaks a rule


@dataclass(frozen=True)
class SplitFacts:
    """Of one split. ``labels``: label -> rows. ``one_item``: slates of one candidate. ``first`` is None without one."""

    name: str
    slates: int
    rows: int
    with_positive: int
    one_item: int
    users: int
    first: datetime | None
    last: datetime | None
    labels: Mapping[int, int]


@dataclass(frozen=True)
class SlateFacts:
    """sizes:     the QUANTILES of the candidates of a slate
    histogram: (lower bound, slates): slates of so many candidates or more, below the next bound; bounds double
    repeated:  slates that have user, time and candidates of another
    splits:    train, validation, test
    split_problem: why the parameters of the split cannot be used; then it is that without parameters
    """

    slates: int
    sizes: tuple[int, ...]
    histogram: Sequence[tuple[int, int]]
    repeated: int
    splits: Sequence[SplitFacts]
    split_problem: str | None = None

    @property
    def one_item(self) -> int:
        return sum(split.one_item for split in self.splits)

    @property
    def with_positive(self) -> int:
        return sum(split.with_positive for split in self.splits)

    @property
    def labels(self) -> dict[int, int]:
        """label -> rows, in the order of the labels."""
        found: dict[int, int] = {}
        for split in self.splits:
            for label, rows in split.labels.items():
                found[label] = found.get(label, 0) + rows
        return dict(sorted(found.items()))


def slate_facts(connection: duckdb.DuckDBPyConnection, split: Mapping[str, Any] | None) -> SlateFacts | None:
    """``split``: the parameters of the split (:func:`feature_repo.times.time_split.time_split`).

    None without a slate.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE slates AS
        SELECT slate_id, any_value(user_id) AS user_id, epoch_us(min(shown_ts)) AS shown_us, count(*) AS size,
            count(*) FILTER (label > 0) AS positives, bit_xor(hash(item_id)) AS items
        FROM impressions WHERE {KNOWN} GROUP BY slate_id
        """
    )
    shown = connection.execute("SELECT shown_us FROM slates").fetchnumpy()["shown_us"]
    if not len(shown):
        return None
    problem = None
    try:
        cut = time_split(dict(split) if split else None, shown)
    except BadSplit as error:
        cut, problem = time_split(None, shown), str(error)
    quantiles = ", ".join(map(str, QUANTILES))
    slates, sizes = connection.execute(f"SELECT count(*), quantile_disc(size, [{quantiles}]) FROM slates").fetchall()[0]
    histogram = connection.execute(
        "SELECT (2 ** floor(log2(size)))::BIGINT, count(*) FROM slates GROUP BY 1 ORDER BY 1"
    ).fetchall()
    repeated = connection.execute(
        "SELECT coalesce(sum(n - 1), 0)::BIGINT FROM (SELECT count(*) AS n FROM slates "
        "GROUP BY user_id, shown_us, size, items)"
    ).fetchall()[0][0]
    return SlateFacts(slates, tuple(sizes), histogram, repeated, _splits(connection, cut), problem)


def _splits(connection: duckdb.DuckDBPyConnection, cut: TimeSplit) -> list[SplitFacts]:
    train, validation, test = SPLITS
    name = f"""
        CASE WHEN {{us}} < {cut.validation_us} THEN '{train}' WHEN {{us}} < {cut.test_us} THEN '{validation}'
        ELSE '{test}' END
    """
    found = connection.execute(
        f"""
        SELECT {name.format(us="shown_us")} AS split, count(*), sum(size)::BIGINT, count(*) FILTER (positives > 0),
            count(*) FILTER (size = 1), count(DISTINCT user_id), min(shown_us), max(shown_us)
        FROM slates GROUP BY 1
        """
    ).fetchall()
    labels: dict[str, dict[int, int]] = {}
    for split, label, rows in connection.execute(
        f"SELECT {name.format(us='epoch_us(shown_ts)')}, label, count(*) FROM impressions WHERE {KNOWN} "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        labels.setdefault(split, {})[label] = rows
    of = {
        name: SplitFacts(name, slates, rows, positive, one, users, instant(first), instant(last), labels.get(name, {}))
        for name, slates, rows, positive, one, users, first, last in found
    }
    return [of.get(each, SplitFacts(each, 0, 0, 0, 0, 0, None, None, {})) for each in SPLITS]
