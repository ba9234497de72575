"""``python -m validation.skew``: rebuild the logged feature matrices from the log and compare them bit for bit.

Writes ``skew.md`` and ``index.html`` to ``<data>/<dataset>/reports/skew/``. The exit status is 1 if more differences
than the threshold are unexplained, and 2 if there is nothing to compare or an input cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import redis

from feature_repo.datasets.errors import DatasetError
from feature_repo.offline.errors import OfflineError
from infra.command import command_settings
from infra.redis_server.server import RedisServerError
from validation.skew.audit import audit
from validation.skew.errors import UnusableInput
from validation.skew.report import headline, write_report

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNUSABLE = (UnusableInput, DatasetError, OfflineError, RedisServerError, redis.RedisError, duckdb.Error, OSError)


def timestamp_us(text: str) -> int:
    """Parse ISO 8601; UTC if it has no time zone. Returns µs since the epoch."""
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 timestamp") from None
    return ((timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.skew", description=__doc__.split("\n")[0])
    parser.add_argument("--since", type=timestamp_us, metavar="ISO8601", help="only requests scored at or after this")
    parser.add_argument(
        "--threshold", type=int, default=0, metavar="N", help="max unexplained values for exit status 0; default 0"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder of the report")
    arguments = parser.parse_args(argv)
    settings = command_settings()
    try:
        findings = audit(settings, arguments.since)
        path = write_report(findings, arguments.out or settings.reports_dir / "skew")
    except UNUSABLE as error:
        print(f"validation.skew: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    print(f"skew audit: {headline(findings)}; {path}")
    for name, count in findings.causes.most_common():
        print(f"  {name}: {count:,}")
    return 1 if findings.unexplained > arguments.threshold else 0


if __name__ == "__main__":
    sys.exit(main())
