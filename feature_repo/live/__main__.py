"""``python -m feature_repo.live [--once]``: the stream's consumer, until SIGINT or SIGTERM.

Drains accepted events into the log every few seconds, and once more before it ends. A Redis that is away is waited
for; what was accepted stays in the stream meanwhile.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from typing import Any

import redis

from feature_repo.live.drain import AlreadyDraining, Drain, sole_consumer
from infra.redis_server.server import EVENTS, FEATURES, RedisServerError, endpoint
from infra.settings import Settings

TIMEOUT_S = 10.0  # for one reply

log = logging.getLogger("feature_repo.live")


def drain_once(settings: Settings) -> int:
    """Returns the number of events. Raises RedisServerError, redis.RedisError, OSError."""
    events, features = endpoint(settings, EVENTS), endpoint(settings, FEATURES)
    with events.client(TIMEOUT_S) as source, features.client(TIMEOUT_S) as store:
        return Drain(settings.dataset, settings.live_dir, source, store).drain()


def warn_of_loss(settings: Settings) -> None:
    """Say so where the events' Redis may lose what was accepted. A Redis that is away or does not tell is not named."""
    try:
        with endpoint(settings, EVENTS).client(TIMEOUT_S) as client:
            found: Any = client.config_get("append*")
    except (RedisServerError, redis.RedisError, OSError):
        return
    wanted = {"appendonly": "yes", "appendfsync": "always"}
    lacking = [f"{name} {value}" for name, value in wanted.items() if found.get(name) != value]
    if lacking:
        log.warning("the events' Redis may lose accepted events when its machine goes down: set %s", ", ".join(lacking))


def run(settings: Settings, stopping: threading.Event) -> None:
    """Drain every ``settings.drain_s`` until ``stopping``, then a last time."""
    while True:
        is_last = stopping.wait(settings.drain_s)
        try:
            drained = drain_once(settings)
            if drained:
                log.info("%d events are in the log", drained)
        except (RedisServerError, redis.RedisError, OSError) as error:
            log.warning("the events stay in the stream: %s", error)
        if is_last:
            return


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m feature_repo.live", description=__doc__.split("\n")[0])
    parser.add_argument("--once", action="store_true", help="drain what is there and end")
    arguments = parser.parse_args(argv)
    settings = Settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stopping = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stopping.set())
    try:
        with sole_consumer(settings.live_dir):
            if arguments.once:
                print(f"drained {drain_once(settings)} events into {settings.live_dir}")
            else:
                warn_of_loss(settings)
                run(settings, stopping)
    except AlreadyDraining as error:
        print(f"feature_repo.live: {error}", file=sys.stderr)
        return 0 if arguments.once else 2  # once is what the other does anyway
    except (RedisServerError, redis.RedisError, OSError, ValueError) as error:
        print(f"feature_repo.live: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
