"""``python -m training.recommend.evaluate``: the metric of a submission's file over a window that has happened."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from feature_repo.datasets.errors import DatasetError
from infra.arguments import positive, timestamp
from infra.command import command_settings
from training.buyers.orders import open_orders
from training.candidates.known_log import log_reaches
from training.recommend.errors import BatchError
from training.recommend.files import FORMATS, read_submission
from training.recommend.metric import bought_items, recalls


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training.recommend.evaluate", description=__doc__)
    parser.add_argument("--submission", type=Path, required=True, help="a parquet or CSV file")
    parser.add_argument("--format", choices=FORMATS, help="of the file; default: by its ending")
    parser.add_argument("--at", type=timestamp, required=True, metavar="TIMESTAMP", help="the window's start")
    parser.add_argument("--days", type=positive, default=3, help="of the window")
    parser.add_argument("--users", type=positive, default=3000, help="at most so many are allowed")
    parser.add_argument("--k", type=positive, default=25, help="items that each user must have")
    arguments = parser.parse_args(argv)
    settings, end = command_settings(), arguments.at + timedelta(days=arguments.days)
    try:
        submission = read_submission(arguments.submission, arguments.format)
        submission.check(arguments.users, arguments.k)
        reached = log_reaches(settings)
        if reached < end:
            print(f"the window ends at {end.isoformat()}, but the log at {reached.isoformat()}", file=sys.stderr)
            return 2
        with open_orders(settings, end) as orders:
            bought = bought_items(orders.bought(arguments.at, end))
        found = recalls(submission, bought, arguments.users, arguments.k)
    except (DatasetError, BatchError) as error:
        print(f"training.recommend.evaluate: {error}", file=sys.stderr)
        return 2
    if not len(found):
        print("nobody bought in the window", file=sys.stderr)
        return 1
    among = len(bought.keys() & set(submission.users))
    print(f"recall per buyer {found.mean():.4f}: {len(found)} bought, {among} of them among {len(submission)} users")
    return 0


if __name__ == "__main__":
    sys.exit(main())
