"""``curl`` commands to try, with ids of the log where there is one."""

from __future__ import annotations

import json
import shlex
from typing import Any
from urllib.parse import quote

import pyarrow.compute as pc
import pyarrow.parquet as pq

from feature_repo.schema import Declaration
from infra.settings import Settings
from serving.score.score_schema import ScoreRequest

CANDIDATES = 4
UNKNOWN = {"user_id": "u1", "session_id": "s1", "items": [{"item_id": "i1"}, {"item_id": "i2"}]}


def curl_example(settings: Settings, declaration: Declaration, url: str) -> str:
    """A request for the log's last slate, and one for its user's recommendations, a line each.

    Without a log the ids are made up, which is answered too.
    """
    path = settings.log_dir / "impressions.parquet"
    body = _last_slate(str(path), declaration) if path.is_file() else UNKNOWN
    ScoreRequest.model_validate_json(json.dumps(body))
    recommend = shlex.quote(f"{url}/recommend/{quote(str(body['user_id']), safe='')}?k=10")
    return (
        f"curl -s {url}/score -H 'content-type: application/json' -d {shlex.quote(json.dumps(body))}\n"
        f"curl -s {recommend}"
    )


def _last_slate(path: str, declaration: Declaration) -> dict[str, Any]:
    facts = [column.name for column in declaration.facts]
    context = [column.name for column in declaration.context]
    timestamps = pq.read_table(path, columns=["shown_ts"])["shown_ts"]
    columns = ["slate_id", "user_id", "session_id", "item_id", "shown_ts", "input_position", *facts, *context]
    newest = pq.read_table(path, columns=columns, filters=pc.field("shown_ts") == pc.max(timestamps)).to_pylist()
    slate = min(row["slate_id"] for row in newest)
    rows = sorted((row for row in newest if row["slate_id"] == slate), key=lambda row: row["input_position"])
    head = rows[0]
    return {
        "user_id": head["user_id"],
        "session_id": head["session_id"],
        "context": {name: head[name] for name in context},
        "items": [
            {"item_id": row["item_id"], "features": {name: row[name] for name in facts}} for row in rows[:CANDIDATES]
        ],
    }
