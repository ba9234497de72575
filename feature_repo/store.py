"""Opening Feast's store for the data set in use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from feast import FeatureStore, RepoConfig

from infra.redis_server import endpoint
from infra.settings import Settings

REPO = Path(__file__).resolve().parent


def _config(settings: Settings) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load((REPO / "feature_store.yaml").read_text())
    body["project"] = settings.dataset
    body["registry"] = str(settings.feast_registry.resolve())
    return body


def open_store(settings: Settings, *, offline: bool = True) -> FeatureStore:
    """``feature_store.yaml`` with this data set's project and registry.

    ``offline=False`` leaves the offline store at Feast's default, so that a scorer needs no DuckDB.
    Raises NoRedis when there is no Redis to talk to.
    """
    body = _config(settings)
    if not offline:
        del body["offline_store"]
    body["online_store"]["connection_string"] = endpoint(settings).feast_connection_string(settings.redis_timeout_s)
    settings.feast_registry.parent.mkdir(parents=True, exist_ok=True)
    return FeatureStore(config=RepoConfig(**body, repo_path=REPO))


def write_feature_store_yaml(settings: Settings) -> Path:
    """The data set's own feature_store.yaml, for ``feast -f FILE -c feature_repo …``."""
    path = settings.data_dir / settings.dataset / "feature_store.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(yaml.safe_dump(_config(settings), sort_keys=False))
    partial.replace(path)
    return path
