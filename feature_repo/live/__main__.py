"""``python -m feature_repo.live [--once]``: the stream's consumer, until SIGINT or SIGTERM.

Every few seconds it moves (drains) accepted events and changes of items from their streams into the log, and once more
before it ends. While a Redis server is away, or whatever else fails, it waits and tries again, and what was accepted
stays in its stream. When a day is over, it puts the day's files together.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import redis

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.live.day_files import put_days_together
from feature_repo.live.drain import AlreadyDraining, Drain, sole_consumer
from feature_repo.live.event_files import EVENTS as EVENT_FILES
from feature_repo.live.items.drain import ItemDrain
from feature_repo.live.items.files import ITEM_CHANGES
from infra.command import command_settings
from infra.redis_server.durability import durability_problem
from infra.redis_server.server import EVENTS, FEATURES, RedisServerError, endpoint
from infra.settings import Settings

TIMEOUT_S = 10.0  # for one reply
KINDS = (EVENT_FILES, ITEM_CHANGES)

log = logging.getLogger("feature_repo.live")


@dataclass(frozen=True)
class Drained:
    """How many accepted entries are in the log now."""

    events: int
    changes: int

    def __str__(self) -> str:
        more = f" and {self.changes} changes of items" if self.changes else ""
        return f"{self.events} events{more}"


def drain_once(settings: Settings) -> Drained:
    """Drain the streams once. Raises RedisServerError, redis.RedisError, OSError."""
    events, features = endpoint(settings, EVENTS), endpoint(settings, FEATURES)
    with events.client(TIMEOUT_S) as source, features.client(TIMEOUT_S) as store:
        into = (settings.dataset, settings.live_dir, source, store)
        return Drained(Drain(*into).drain(), ItemDrain(*into, partial(declaration_of, settings)).drain())


def put_together(settings: Settings) -> None:
    """One file per day that is over. Raises OSError, pa.ArrowException."""
    for kind in KINDS:
        put_days_together(settings.live_dir, kind)


def days_of(settings: Settings) -> set[Path]:
    return {day for kind in KINDS for day in kind.folder(settings.live_dir).glob("day=*")}


def warn_of_loss(settings: Settings) -> None:
    """Log a warning if the settings of the events' Redis allow it to lose accepted events.

    There is no warning if the server is away or does not report its settings.
    """
    try:
        with endpoint(settings, EVENTS).client(TIMEOUT_S) as client:
            problem = durability_problem(client)
    except (RedisServerError, redis.RedisError, OSError):
        return
    if problem:
        log.warning("the events' Redis %s", problem)


def run(settings: Settings, stopping: threading.Event) -> None:
    """Drain every ``settings.drain_s`` until ``stopping``, then a last time. No error ends it."""
    days: set[Path] = set()
    while True:
        is_last = stopping.wait(settings.drain_s)
        try:
            drained = drain_once(settings)
            if drained.events or drained.changes:
                log.info("drained %s into the log", drained)
            present = days_of(settings)
            if present != days:  # a new day, or the start
                put_together(settings)
                days = present
        except (RedisServerError, redis.RedisError, OSError) as error:
            log.warning("what was accepted stays in its stream for now: %s", error)
        except Exception:  # who would start it again? the stream would grow until Redis is full
            log.exception("what was accepted stays in its stream for now")
        if is_last:
            return


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m feature_repo.live", description=__doc__.split("\n")[0])
    parser.add_argument("--once", action="store_true", help="drain the present events and end")
    arguments = parser.parse_args(argv)
    settings = command_settings()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        with sole_consumer(settings.live_dir):
            for kind in KINDS:  # the pipeline depends on the folders
                kind.folder(settings.live_dir).mkdir(parents=True, exist_ok=True)
            if arguments.once:
                print(f"drained {drain_once(settings)} into {settings.live_dir}")
                put_together(settings)
            else:
                warn_of_loss(settings)
                run(settings, stopping)
    except AlreadyDraining as error:
        print(f"feature_repo.live: {error}", file=sys.stderr)
        return 0 if arguments.once else 2  # with --once it is enough that the other consumer drains
    except (RedisServerError, redis.RedisError, OSError, ValueError) as error:
        print(f"feature_repo.live: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
