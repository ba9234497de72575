"""Who asks for a list in a window, and what was wanted: the entity rows and the labels of stage two.

*Midnight lists*: each user who ordered in the window asks at its start, without a session. Wanted is what was ordered
in the window.
*Session lists*: the log's slates of the window ask at their time, with their session and context. Wanted is what was
ordered from then until the window's end and was not in the cart yet.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from infra.clock import epoch_us
from training.candidates.known_log import KnownLog
from training.stage_two.windows import Window


@dataclass(frozen=True)
class AskedLists:
    """asked:  slate_id, user_id, session_id ('' for none), shown_ts, and the context columns; one row per list
    wanted: slate_id, item_id; one row per item that the user wanted, at least one per list
    """

    asked: pd.DataFrame
    wanted: pa.Table


def asked_lists(
    log: KnownLog, window: Window, *, users: int, sessions: int, seed: int, context: tuple[str, ...]
) -> AskedLists:
    """``users``, ``sessions``: at most so many lists of each kind, a seeded sample. ``log`` knows the whole window."""
    nulls = "".join(f', NULL AS "{name}"' for name in context)
    named = "".join(f', "{name}"' for name in context)
    bounds = {
        "start": epoch_us(window.start),
        "end": epoch_us(window.end),
        "users": users,
        "sessions": sessions,
        "seed": f"{seed}:",
    }
    tables = f"""
        WITH orders AS (
            SELECT user_id, item_id, at_us FROM known_events JOIN known_items USING (code)
            WHERE action = 'order' AND at_us >= $start AND at_us < $end
        ), midnight AS (
            SELECT 'u:' || $start || ':' || user_id AS slate_id, user_id, '' AS session_id,
                $start::BIGINT AS at_us {nulls}
            FROM (SELECT DISTINCT user_id FROM orders ORDER BY md5($seed || user_id) LIMIT $users)
        ), in_session AS (
            SELECT 's:' || slate_id AS slate_id, user_id, session_id, shown_us AS at_us {named}
            FROM known_slates WHERE shown_us >= $start AND shown_us < $end
            ORDER BY md5($seed || slate_id) LIMIT $sessions
        ), asked AS (
            SELECT * FROM midnight UNION ALL SELECT * FROM in_session
        ), emptied AS (
            SELECT slate_id, max(e.at_us) AS emptied_us FROM asked a JOIN known_emptied e USING (session_id)
            WHERE e.at_us < a.at_us GROUP BY slate_id
        ), carts AS (
            SELECT a.slate_id, item_id
            FROM asked a JOIN known_events e USING (session_id) JOIN known_items USING (code)
                LEFT JOIN emptied USING (slate_id)
            WHERE e.action IN ('add_to_cart', 'remove_from_cart', 'order') AND e.at_us < a.at_us
            GROUP BY a.slate_id, item_id, emptied_us
            HAVING arg_max(e.action, (e.at_us, e.action)) = 'add_to_cart' AND max(e.at_us) > coalesce(emptied_us, -1)
        ), wanted AS (
            SELECT DISTINCT slate_id, o.item_id FROM asked a JOIN orders o USING (user_id)
            ANTI JOIN carts c ON c.slate_id = a.slate_id AND c.item_id = o.item_id
            WHERE o.at_us >= a.at_us
        )
    """
    wanted = log.connection.sql(f"{tables} SELECT * FROM wanted ORDER BY ALL", params=bounds).to_arrow_table()
    rows = log.connection.execute(
        f"{tables} SELECT * FROM asked SEMI JOIN wanted USING (slate_id) ORDER BY at_us, slate_id", bounds
    ).df()
    rows["shown_ts"] = pd.to_datetime(rows.pop("at_us"), unit="us", utc=True)
    return AskedLists(rows, wanted)
