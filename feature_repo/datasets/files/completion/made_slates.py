"""Slates made from the events of a source without lists: feature_repo.datasets.event_slates over ``given_events``.

Works without categories and shops: the largest «shop» is then all items, which makes that source the popular items.
"""

from __future__ import annotations

from dataclasses import replace

from feature_repo.datasets.checks.values import FILE, ROW
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.event_slates.candidates import CANDIDATE_SOURCES, open_candidates
from feature_repo.datasets.event_slates.coverage import coverage, why_not_more
from feature_repo.datasets.event_slates.rules import SlateRules
from feature_repo.datasets.event_slates.slates import impressions_query, repeated_targets, sample_slates
from feature_repo.datasets.files.mapping import Slates
from feature_repo.datasets.files.staging import Staging
from infra.progress import step

FILL_TO = 100  # candidates
FROM_TOGETHER = 40
FEW = 300  # slates: fewer tell little
MANY, HARDLY_ANY = 1_000, 0.01  # of so many targets this share is on items that the user knew: then none is offered


def make_slates(staging: Staging, slates: Slates) -> None:
    """Add the slates to ``given_impressions``. Raises DatasetError where no session gets one."""
    rules = SlateRules(
        targets=slates.targets,
        label_hours=slates.label_hours,
        warm_up_days=slates.warm_up_days,
        per_day=slates.per_day,
        every_session=True,
        fill_to=FILL_TO,
        from_together=FROM_TOGETHER,
    )
    staging.save("session_acts", _ACTS)
    staging.save("products", _PRODUCTS)
    targets, repeated = repeated_targets(staging.connection, rules)
    nobody_repeats = targets >= MANY and repeated < HARDLY_ANY * targets
    rules = replace(rules, only_new=nobody_repeats if slates.repeats is None else slates.repeats == "drop")
    with step("sampling slates"):
        sample_slates(staging.connection, rules)
    if not staging.count("slates"):
        raise DatasetError(
            f"no slate can be made from the events: {why_not_more(staging.connection, rules)}. These limits stand in "
            "the section slates of the mapping"
        )
    open_candidates(staging.connection, rules)
    for name, add_candidates in CANDIDATE_SOURCES.items():
        with step(f"candidates by {name}"):
            add_candidates(staging.connection, rules)
    staging.save(
        "given_impressions",
        f"""
        SELECT * FROM given_impressions UNION ALL BY NAME
        SELECT *, 'slates from events' AS {FILE}, row_number() OVER () AS {ROW} FROM ({impressions_query(rules)})
        """,
    )
    if rules.only_new:
        staging.note(
            "impressions", "candidates left out that the user had acted on before",
            staging.count("candidates SEMI JOIN slate_carts USING (slate, item_id)"),
            f"{repeated:,} of {targets:,} targets were such an item; repeats: keep in the section slates keeps them",
        )  # fmt: skip
    _note(staging, rules)


def _note(staging: Staging, rules: SlateRules) -> None:
    found = coverage(staging.connection)
    shares = ", ".join(f"{source} {share:.0%}" for source, share in found.shares.items())
    staging.note(
        "impressions", "slates made from events", found.slates,
        f"the files have no lists; they hold {found.all:.0%} of the {found.wanted:,} items that were wanted, which is "
        f"the most that any order of them can find (by source alone: {shares})",
    )  # fmt: skip
    few = ", which are few to learn from and to judge by" if found.slates < FEW else ""
    staging.note(
        "impressions", f"sessions that got a slate{few}", found.slates, why_not_more(staging.connection, rules)
    )


# Sessions of a user that begin at one time are told apart by microseconds.
_ACTS = """
    WITH acts AS (
        SELECT user_id AS person, session_id, event_ts AS t, action, item_id,
            row_number() OVER by_session AS number, min(event_ts) OVER (PARTITION BY user_id, session_id) AS opened
        FROM given_events WHERE action <> 'impression'
        WINDOW by_session AS (PARTITION BY user_id, session_id ORDER BY event_ts, event_id)
    )
    SELECT person, session_id, t, action, item_id, number,
        opened + to_microseconds(dense_rank() OVER (PARTITION BY person, opened ORDER BY session_id) - 1) AS opened_at
    FROM acts
"""

_PRODUCTS = """
    SELECT item_id, arg_min(category_id, valid_from_ts) AS category_id, arg_min(shop_id, valid_from_ts) AS shop_id
    FROM given_items GROUP BY item_id
"""
