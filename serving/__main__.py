"""``python -m serving``: the scorer on Settings.host and port, until it is told to stop."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time

import pyarrow.parquet as pq
import uvicorn

from infra.clock import ClockNotAnchored, open_clock
from infra.settings import Settings
from serving.app import create_app

EXAMPLE_ITEMS = 3


def main() -> int:
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        clock = open_clock(settings)
    except ClockNotAnchored as error:
        print(f"serving: {error}", file=sys.stderr)
        return 2
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings, clock),
            host=settings.host,
            port=settings.port,
            log_level=settings.log_level.lower(),
            access_log=False,
            timeout_graceful_shutdown=10,
        )
    )
    print(f"{settings.dataset}: {clock.mode} clock, now {clock.now().isoformat()}", flush=True)
    threading.Thread(target=_announce, args=(server, settings), daemon=True).start()
    server.run()
    return 0


def _announce(server: uvicorn.Server, settings: Settings) -> None:
    while not server.started and not server.should_exit:
        time.sleep(0.05)
    if server.started:
        print(f"answering on http://{settings.host}:{settings.port}; try\n\n{example(settings)}\n", flush=True)


def example(settings: Settings) -> str:
    """A ``curl`` with ids of the log, or made-up ones where there is no log."""
    path = settings.log_dir / "impressions.parquet"
    rows = [{"user_id": "u", "session_id": "s", "item_id": "i"}]
    if path.exists():
        file = pq.ParquetFile(path)
        tail = file.read_row_group(file.num_row_groups - 1, columns=["slate_id", *rows[0]]).to_pylist()
        rows = [row for row in tail if row["slate_id"] == tail[-1]["slate_id"]][:EXAMPLE_ITEMS]
    body = {
        "user_id": rows[0]["user_id"],
        "session_id": rows[0]["session_id"],
        "items": [{"item_id": row["item_id"]} for row in rows],
    }
    url = f"http://{settings.host}:{settings.port}/score"
    return f"  curl -s {url} -H 'content-type: application/json' -d '{json.dumps(body)}'"


if __name__ == "__main__":
    sys.exit(main())
