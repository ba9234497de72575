"""``python -m training.candidates``: what each source of the data set is worth, as a Markdown table.

    python -m training.candidates --at 2017-12-13T00:00:00Z,2017-12-16T00:00:00Z --days 3 [--json FILE]

For each window the sources are fitted on what was received before it, and asked about all users who ordered in it.
Without ``--at``: the validation windows of params.yaml, ``recommend.windows``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.ragged import Ragged
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.offline.errors import OfflineError
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.replay_start import NoLog, log_end
from feature_repo.store import open_store
from infra.arguments import positive, timestamps
from infra.clock import timestamp_text
from infra.command import command_params, command_settings
from infra.redis_server.server import RedisServerError
from infra.settings import Settings
from training.candidates.fit import BadSources, fit_sources
from training.candidates.known_log import open_known_log
from training.candidates.source_table import Ordered, SourceRecall, markdown, pooled, source_recalls
from training.candidates.user_states import user_queries


def window_recalls(settings: Settings, params: Mapping[str, Any], start: datetime, days: int) -> list[SourceRecall]:
    """Of the window [start, start + days). Empty if nobody ordered in it."""
    end = start + timedelta(days=days)
    users, items = orders_between(settings, start, end)
    if not users:
        return []
    sources = fit_sources(settings, params, start)
    reader = PointInTimeReader(open_store(settings, known_at=end), declaration_of(settings))
    queries = user_queries(reader, sources.codes, start, users)
    return source_recalls(sources, queries, ordered_items(sources.codes, items))


def orders_between(settings: Settings, start: datetime, end: datetime) -> tuple[list[str], list[list[str]]]:
    """(q,) users with an order in [start, end), and the distinct items of each."""
    with open_known_log(settings, end) as log:
        found = log.connection.sql(
            """
            SELECT user_id, list(DISTINCT item_id ORDER BY item_id) AS items
            FROM known_events JOIN known_items USING (code)
            WHERE action = 'order' AND at_us >= epoch_us($start::TIMESTAMPTZ) GROUP BY user_id ORDER BY user_id
            """,
            params={"start": start},
        ).to_arrow_table()
    return found["user_id"].to_pylist(), found["items"].to_pylist()


def ordered_items(codes: ItemCodes, items: Sequence[Sequence[str]]) -> Ordered:
    flat = [item for each in items for item in each]
    return Ordered(Ragged.of_lengths([len(each) for each in items]), codes.encode(flat))


def validation_starts(until: datetime, windows: Mapping[str, int]) -> list[datetime]:
    """The starts of the validation windows if the newest test window ends at ``until``, oldest first."""
    newest = until - timedelta(days=windows["days"] + windows["every_days"] * windows["test"])
    return [newest - timedelta(days=windows["every_days"] * back) for back in reversed(range(windows["validation"]))]


def report(settings: Settings, params: Mapping[str, Any], starts: Sequence[datetime], days: int) -> dict[str, Any]:
    """The figures of the windows in which somebody ordered."""
    windows = {start: found for start in starts if (found := window_recalls(settings, params, start, days))}
    return {
        "windows": [timestamp_text(start) for start in windows],
        "days": days,
        "users": [len(found[-1].first) for found in windows.values()],
        "sizes": {name: each["candidates"] for name, each in params["sources"].items()},
        "limit": params["candidates"],
        "sources": pooled(list(windows.values())),
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.candidates", description=__doc__)
    parser.add_argument("--at", type=timestamps, help="starts of the windows, separated by commas")
    parser.add_argument("--days", type=positive, help="of a window; default: recommend.windows.days")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    arguments = parser.parse_args(argv)
    settings = command_settings()
    params = command_params(settings)["recommend"]
    try:
        midnight = log_end(settings.log_dir).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        starts = arguments.at or validation_starts(midnight, params["windows"])
        found = report(settings, params, starts, arguments.days or int(params["windows"]["days"]))
    except (BadSources, DatasetError, NoLog, OfflineError, RedisServerError) as error:
        print(f"training.candidates: {error}", file=sys.stderr)
        return 2
    users = ", ".join(
        f"{start}: {users:,} users" for start, users in zip(found["windows"], found["users"], strict=True)
    )
    print(f"{markdown(found['sources'])}\n\n{users}; {found['days']} days each, union cut at {found['limit']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
