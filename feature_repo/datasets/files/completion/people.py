"""Users and sessions of ``given_events`` and ``given_impressions``, which have ids and times by now.

*Users.* The session of a row without a user stands for the user: user_id = session_id. Where one of these is also the
id of a known user, all of them begin with ANONYMOUS.

*Sessions.* A row with a user and no session belongs to the user's session of that time, which is cut where the user
does nothing for so long. Events and slates are cut together. A row with neither has a session of its own: that of its
slate, or that of the one event. A session is one user's: a session id of several is made distinct by the user's id, and
so is one whose rows have a user from the login on. What is learnt later does not say who was there before.
"""

from __future__ import annotations

from feature_repo.datasets.files.completion.ids import short
from feature_repo.datasets.files.mapping import SourceMapping
from feature_repo.datasets.files.staging import Staging

ANONYMOUS = "session-"
_LONG = 180  # characters of a user's id that still leave room for a session's time

_TABLES = {"events": "event_ts", "impressions": "shown_ts"}


def complete_people(staging: Staging, mapping: SourceMapping) -> None:
    """Fill user_id and session_id of both tables."""
    if mapping.anonymous == "drop":
        _drop_anonymous(staging)
    _own_sessions(staging)
    _cut_sessions(staging, mapping.sessions.gap_minutes)
    _share_no_session(staging)
    _name_anonymous(staging)


def _drop_anonymous(staging: Staging) -> None:
    for table in _TABLES:
        dropped = staging.count(f"given_{table}", "user_id IS NULL")
        if dropped:
            staging.save(f"given_{table}", f"SELECT * FROM given_{table} WHERE user_id IS NOT NULL")
            staging.note(table, "rows dropped", dropped, "they have no user (anonymous: drop)")


def _own_sessions(staging: Staging) -> None:
    """An event without both that follows a slate belongs to the slate's session."""
    own = {
        "events": "coalesce('slate-' || request_id, 'event-' || event_id)",
        "impressions": "'slate-' || slate_id",
    }
    neither = "user_id IS NULL AND session_id IS NULL"
    for table, made in own.items():
        count = staging.count(f"given_{table}", neither)
        if count:
            chosen = f"CASE WHEN {neither} THEN {short(f'({made})')} ELSE session_id END"
            staging.save(f"given_{table}", f"SELECT * REPLACE ({chosen} AS session_id) FROM given_{table}")
            staging.note(table, "rows given a session of their own", count, "they have neither user nor session")


def _cut_sessions(staging: Staging, gap_minutes: float) -> None:
    acts = " UNION ALL ".join(
        f"SELECT user_id, {time} AS t FROM given_{table} WHERE session_id IS NULL" for table, time in _TABLES.items()
    )
    if not staging.count(f"({acts})"):
        return
    named = f"CASE WHEN length(user_id) > {_LONG} THEN md5(user_id) ELSE user_id END"
    staging.save(
        "cut_sessions",
        f"""
        WITH opening AS (
            SELECT user_id, t, coalesce(
                t - lag(t) OVER (PARTITION BY user_id ORDER BY t) > to_microseconds({round(gap_minutes * 60e6)}), true
            ) AS opens FROM (SELECT DISTINCT user_id, t FROM ({acts}))
        )
        SELECT user_id, t, {named} || '-' || epoch_ms(max(CASE WHEN opens THEN t END) OVER (
            PARTITION BY user_id ORDER BY t ROWS UNBOUNDED PRECEDING
        )) AS cut FROM opening
        """,
    )
    for table, time in _TABLES.items():
        staging.save(
            f"given_{table}",
            f"""
            SELECT g.* REPLACE (coalesce(g.session_id, cut) AS session_id)
            FROM given_{table} g LEFT JOIN cut_sessions c ON c.user_id = g.user_id AND c.t = g.{time}
            """,
        )
    made = staging.row("SELECT count(DISTINCT cut) FROM cut_sessions")[0]
    why = f"none are given: a session ends after {gap_minutes:g} minutes without an event or a list"
    staging.note("events", "sessions made", made, why)


def _share_no_session(staging: Staging) -> None:
    rows = " UNION ALL ".join(f"SELECT session_id, coalesce(user_id, '') AS who FROM given_{t}" for t in _TABLES)
    staging.save(
        "shared_sessions", f"SELECT session_id FROM ({rows}) GROUP BY session_id HAVING count(DISTINCT who) > 1"
    )
    shared, example = staging.row("SELECT count(*), min(session_id) FROM shared_sessions")
    if not shared:
        return
    distinct = short("(session_id || '|' || user_id)")
    for table in _TABLES:
        staging.save(
            f"given_{table}",
            f"""
            SELECT * REPLACE (
                CASE WHEN user_id IS NOT NULL AND session_id IN (SELECT session_id FROM shared_sessions)
                    THEN {distinct} ELSE session_id END AS session_id
            ) FROM given_{table}
            """,
        )
    staging.note(
        "events", "session ids made distinct by their user", shared, "several users have the same one", example
    )


def _name_anonymous(staging: Staging) -> None:
    users = " UNION ".join(f"SELECT user_id FROM given_{table} WHERE user_id IS NOT NULL" for table in _TABLES)
    sessions = " UNION ".join(f"SELECT session_id FROM given_{table} WHERE user_id IS NULL" for table in _TABLES)
    taken = staging.row(f"SELECT count(*) FROM ({users}) u JOIN ({sessions}) s ON s.session_id = u.user_id")[0]
    made = short(f"('{ANONYMOUS}' || session_id)") if taken else "session_id"
    for table in _TABLES:
        count = staging.count(f"given_{table}", "user_id IS NULL")
        if count:
            staging.save(
                f"given_{table}", f"SELECT * REPLACE (coalesce(user_id, {made}) AS user_id) FROM given_{table}"
            )
            staging.note(table, "rows whose session stands for the user", count, "they have no user")
    staging.note("events", "ids of anonymous users begin with " + ANONYMOUS, taken, "a user has the id of a session")
