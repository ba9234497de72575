"""How much of what was wanted the slates hold, and why there are not more slates."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from feature_repo.datasets.event_slates.rules import SlateRules


@dataclass(frozen=True)
class Coverage:
    """``shares``: of the wanted items, that the slates hold by each source alone. ``all``: by all sources together."""

    slates: int
    wanted: int
    all: float
    shares: dict[str, float]

    def __str__(self) -> str:
        each = "".join(f", {source} {share:.3f}" for source, share in self.shares.items())
        return (
            f"{self.slates} slates; share of the {self.wanted} ordered items that they hold: "
            f"{f'all {self.all:.3f}{each}' if self.wanted else 'none'}"
        )


def coverage(connection: duckdb.DuckDBPyConnection) -> Coverage:
    """Reads ``slates``, ``wanted``, ``candidates`` and ``slate_carts``."""
    slates, wanted = connection.execute(
        "SELECT count(*), coalesce(sum(relevant_total), 0)::BIGINT FROM slates"
    ).fetchall()[0]
    found = connection.execute(
        """
        SELECT source, count(DISTINCT (slate, item_id)) FROM wanted JOIN candidates USING (slate, item_id)
        ANTI JOIN slate_carts USING (slate, item_id) GROUP BY ROLLUP (source) ORDER BY grouping(source) DESC, source
        """
    ).fetchall()
    shares = {source: count / wanted for source, count in found if wanted}
    return Coverage(slates, wanted, shares.pop(None, 0.0), shares)


def why_not_more(connection: duckdb.DuckDBPyConnection, rules: SlateRules) -> str:
    """How many sessions there are, and what each rule leaves. Reads ``session_acts`` and ``orders``."""
    sessions, history, late, buyers = connection.execute(
        f"""
        WITH opened AS (SELECT person, opened_at, min(t) AS t FROM session_acts GROUP BY person, opened_at)
        SELECT count(*),
            count(*) FILTER (t < getvariable('first_day') + INTERVAL {rules.warm_up_days} DAY),
            count(*) FILTER (t >= getvariable('last_day') + INTERVAL 1 DAY),
            count(*) FILTER (person IN (SELECT person FROM orders))
        FROM opened
        """
    ).fetchall()[0]
    targets = " or ".join(map(str, rules.targets))
    return (
        f"of {sessions:,} sessions {history:,} are in the first {rules.warm_up_days} days "
        f"(warm_up_days), {late:,} begin too late for {rules.label_hours} hours of labels (label_hours), "
        f"{sessions - buyers:,} are of users without any {targets} (targets), and a day has at most {rules.per_day} "
        "slates (per_day), of sessions with something to predict"
    )
