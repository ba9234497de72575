"""``python -m feature_repo.apply``: the same as ``feast -c feature_repo apply``, for any data set."""

from __future__ import annotations

import sys

from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.checks import check
from feature_repo.definitions.data_set import DataSet
from feature_repo.definitions.repo import load
from feature_repo.store import open_store, write_feature_store_yaml
from infra.command import command_settings
from infra.redis_server.server import RedisServerError
from infra.settings import Settings


def apply(settings: Settings) -> None:
    """Register the data set's Feast objects. Raises DatasetError or RedisServerError."""
    data_set = DataSet.of(settings)
    check(data_set.declaration)
    store = open_store(settings)
    store.apply(load(data_set).objects)
    write_feature_store_yaml(settings)


def main() -> int:
    settings = command_settings()
    try:
        apply(settings)
    except (DatasetError, RedisServerError) as error:
        print(f"feature_repo.apply: {error}", file=sys.stderr)
        return 2
    print(f"applied to project {settings.dataset}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
