"""What ``POST /events`` is measured against, as servers of their own.

    python -m benchmarks.events.servers {naive,floor} --port N

*naive* is the straightforward stack: FastAPI with a request and a response model, redis-py's XADD, the session's
events read back from a Redis list, folded, and written by Feast's ``write_to_online_store``. *floor* does what no
acceptance can leave out: it parses the body with the same parser and adds each event to a stream that is synced to
disk. Neither counts an event once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import orjson
import pandas as pd
import redis.asyncio
import uvicorn
from anyio.to_thread import run_sync
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from benchmarks.online.servers import with_health
from feature_repo.definitions.views import SESSION_STATE
from feature_repo.live.acceptance import redis_command
from feature_repo.live.view_rows import MICROSECONDS
from feature_repo.sessions import Replay, SessionEvent
from feature_repo.store import open_store
from infra.clock import EPOCH, epoch_us, open_clock
from infra.command import command_settings
from infra.redis_server.server import EVENTS, endpoint
from serving.events.event_schema import SentEvent, parse_events
from serving.redis_client.connection import ReconnectingConnection

STREAM = b"benchmark:events"


class Event(BaseModel):
    event_id: str
    user_id: str
    session_id: str
    action: str
    item_id: str | None = None


class Events(BaseModel):
    events: list[Event]


class Accepted(BaseModel):
    accepted: int


def naive() -> FastAPI:
    settings = command_settings()
    client = redis.asyncio.Redis.from_url(endpoint(settings, EVENTS).url)
    store, clock = open_store(settings, offline=False), open_clock(settings)
    app = FastAPI()

    @app.post("/events", response_model=Accepted)
    async def accept(body: Events) -> Accepted:
        for event in body.events:
            us = epoch_us(clock.now())
            one = orjson.dumps({**event.model_dump(), "us": us})
            async with client.pipeline() as pipeline:
                pipeline.xadd(STREAM, {"event": one})
                pipeline.rpush(f"benchmark:{event.session_id}", one)
                pipeline.lrange(f"benchmark:{event.session_id}", 0, -1)
                replies: list[Any] = await pipeline.execute()
            await run_sync(_write, event.session_id, replies[-1])
        return Accepted(accepted=len(body.events))

    def _write(session: str, entries: list[bytes]) -> None:
        state = Replay()
        for entry in map(orjson.loads, entries):
            item, us = entry["item_id"], entry["us"]
            state.fold(SessionEvent(us, entry["event_id"], us, entry["action"], item, None, None, None))
        timestamp = EPOCH + timedelta(seconds=state.row_us // MICROSECONDS, microseconds=state.row_us % MICROSECONDS)
        row = {"session_id": session, "event_timestamp": timestamp, "created_timestamp": timestamp, **state.features()}
        store.write_to_online_store(SESSION_STATE.name, pd.DataFrame([row]))

    return with_health(app)


def floor() -> FastAPI:
    settings = command_settings()
    connection = ReconnectingConnection("the events' Redis", lambda: endpoint(settings, EVENTS))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await connection.start(5)
        yield
        await connection.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/events", response_class=Response, status_code=202)
    async def accept(request: Request) -> Response:
        events = [each for each in parse_events(await request.body()) if isinstance(each, SentEvent)]
        commands = [redis_command(b"XADD", STREAM, b"*", b"event", orjson.dumps(_stamped(each))) for each in events]
        await connection.call(b"".join(commands), len(commands))
        return Response(orjson.dumps({"accepted": len(events)}), 202, media_type="application/json")

    return with_health(app)


def _stamped(event: SentEvent) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "user_id": event.user_id,
        "session_id": event.session_id,
        "item_id": event.item_id,
        "action": event.action,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.events.servers", description=__doc__.split("\n")[0])
    parser.add_argument("app", choices=(naive.__name__, floor.__name__))
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    uvicorn.run(
        f"benchmarks.events.servers:{arguments.app}",
        factory=True,
        port=arguments.port,
        log_config=None,
        access_log=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
