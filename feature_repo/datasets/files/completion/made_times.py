"""Times of a source that has none: slates in a seeded random order, a minute apart, as sessions_venues has them.

So a split by time is a random split by slate. An event follows its slate.
"""

from __future__ import annotations

from feature_repo.datasets.files.staging import Staging

SEED = 20240101
FIRST_SLATE = "2024-01-02 01:00:00+00"
AFTER_SECONDS = 30  # an event's time after its slate's


def make_times(staging: Staging) -> None:
    """Give the rows of ``given_impressions``, which have slate ids, and of ``given_events`` a time.

    An event finds its slate by request_id, else by session_id; one that finds none stays without a time.
    """
    staging.save(
        "slate_times",
        f"""
        SELECT slate_id, session_id, TIMESTAMPTZ '{FIRST_SLATE}' + to_minutes(
            row_number() OVER (ORDER BY md5('{SEED}:' || slate_id), slate_id) - 1
        ) AS t FROM (SELECT slate_id, min(session_id) AS session_id FROM given_impressions GROUP BY slate_id)
        """,
    )
    staging.save(
        "given_impressions",
        "SELECT * EXCLUDE (t) REPLACE (t AS shown_ts) FROM given_impressions JOIN slate_times USING (slate_id)",
    )
    staging.save(
        "given_events",
        f"""
        WITH by_session AS (SELECT session_id, min(t) AS session_t FROM slate_times GROUP BY session_id)
        SELECT e.* REPLACE (
            coalesce(s.t, session_t) + INTERVAL {AFTER_SECONDS} SECOND + to_microseconds(row_number() OVER (
                PARTITION BY coalesce(s.slate_id, e.session_id) ORDER BY e.action, e.item_id
            ) - 1) AS event_ts
        )
        FROM given_events e LEFT JOIN slate_times s ON s.slate_id = e.request_id
            LEFT JOIN by_session b ON b.session_id = e.session_id
        """,
    )
    slates = staging.count("slate_times")
    staging.note("impressions", "slates given a time in a seeded random order", slates, "the files have no times")
