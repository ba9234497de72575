"""``python -m serving``: the scorer on Settings.host and port, until SIGINT or SIGTERM.

Requests that are under way when it is told to stop are answered first.
"""

from __future__ import annotations

import logging
import socket
import sys

import uvicorn

from infra.clock import Clock, ClockNotAnchored, ReplayClock, open_clock
from infra.settings import Settings
from serving.app import create_app
from serving.curl_example import curl_example
from serving.errors import NotReady
from serving.responses import instant_text
from serving.service import Service

LAST_REQUESTS_S = 10


class AnnouncedServer(uvicorn.Server):
    """Says where it listens, what it serves and what to try, once it does."""

    def __init__(self, config: uvicorn.Config, settings: Settings, service: Service) -> None:
        super().__init__(config)
        self._settings = settings
        self._service = service

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host = self._settings.host if self._settings.host not in ("0.0.0.0", "::") else "127.0.0.1"
            port = self.servers[0].sockets[0].getsockname()[1]
            print(announcement(self._settings, self._service, f"http://{host}:{port}"), flush=True)


def announcement(settings: Settings, service: Service, url: str) -> str:
    lines = [f"listening: {url} (documented at {url}/docs)"]
    try:
        scorer = service.scorer()
    except NotReady as error:
        return "\n".join([*lines, *(f"not ready: {problem.message}" for problem in error.problems)])
    model = scorer.model
    kind = "a baseline: no trained model is promoted" if model.kind == "baseline" else model.kind
    lines.append(f"model: {model.name} version {model.version} ({kind})")
    if service.features is not None and service.features.problem is not None:
        lines.append(f"answers are degraded for now: {service.features.problem}")
    return "\n".join([*lines, "try:", "", curl_example(settings, scorer.declaration, url), ""])


def clock_line(clock: Clock) -> str:
    if isinstance(clock, ReplayClock):
        return f"clock: replay from {instant_text(clock.anchor)}, now {instant_text(clock.now())}"
    return f"clock: {clock.mode}, now {instant_text(clock.now())}"


def main() -> int:
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        clock = open_clock(settings)
    except ClockNotAnchored as error:
        print(f"serving: {error}", file=sys.stderr)
        return 2
    print(clock_line(clock), flush=True)
    app = create_app(settings, clock)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=settings.log_level == "DEBUG",
        timeout_graceful_shutdown=LAST_REQUESTS_S,
    )
    AnnouncedServer(config, settings, app.state.service).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
