"""Who asks, and how: the users of a data set's log, each with the context of a slate of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode, urlsplit

import duckdb
import numpy as np

from benchmarks.load import Expected, is_ok
from feature_repo.schema import Declaration
from infra.settings import Settings

USERS, IN_A_ROW = 1_000, 4  # requests of one user: a page, and the next ones
SEED = 11
K = 25


def paths(settings: Settings, declaration: Declaration) -> list[str]:
    """Of requests by up to USERS users of the log, drawn by a seed, each user's one after the other."""
    names = [column.name for column in declaration.context]
    columns = "".join(f', arg_max("{name}", shown_ts) AS "{name}"' for name in names)
    with duckdb.connect() as connection:
        events, impressions = (str(settings.log_dir / f"{table}.parquet") for table in ("events", "impressions"))
        found = connection.execute(
            f"""
            SELECT user_id {"".join(f', "{name}"' for name in names)}
            FROM (SELECT DISTINCT user_id FROM read_parquet($events) WHERE action = 'order')
            LEFT JOIN (SELECT user_id {columns} FROM read_parquet($impressions) GROUP BY user_id) USING (user_id)
            ORDER BY user_id
            """,
            {"events": events, "impressions": impressions},
        ).fetchall()
    chosen = np.random.default_rng(SEED).permutation(len(found))[:USERS].tolist()
    return [
        path for i in chosen for path in [_path(found[i][0], dict(zip(names, found[i][1:], strict=True)))] * IN_A_ROW
    ]


def _path(user_id: str, context: dict[str, str | None]) -> str:
    known = {name: value for name, value in context.items() if value is not None}
    return f"/recommend/{quote(user_id, safe='')}?{urlencode({'k': K, **known})}"


def requests_to(url: str, asked: Sequence[str]) -> list[bytes]:
    """One whole HTTP request per path. ``url``: without a path."""
    host = urlsplit(url).netloc
    return [f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode() for path in asked]


def is_answer(status: int, body: bytes) -> bool:
    """An answer with items, made with the store."""
    return is_ok(status, body) and b'"item_id"' in body


EXPECTED: Expected = is_answer
