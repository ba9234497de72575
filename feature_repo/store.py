"""Opens Feast's store for the data set in use."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from feast import FeatureStore, RepoConfig
from feast.infra.registry.file import FileRegistryStore
from feast.repo_config import RegistryConfig

from feature_repo.definitions.repo_paths import REPO, path_for_registry
from feature_repo.online.store import bulk_connection_string
from infra.redis_server.server import endpoint
from infra.settings import Settings


class LocalRegistryStore(FileRegistryStore):  # type: ignore[misc]
    """Feast's registry file. Creates all folders above it; Feast itself creates only the last one."""

    def __init__(self, registry_config: RegistryConfig, repo_path: Path) -> None:
        super().__init__(registry_config, repo_path)
        self._filepath.parent.mkdir(parents=True, exist_ok=True)


def _config(settings: Settings, registry: str) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load((REPO / "feature_store.yaml").read_text())
    body["project"] = settings.dataset
    body["registry"]["path"] = registry
    return body


def open_store(settings: Settings, *, offline: bool = True, known_at: datetime | None = None) -> FeatureStore:
    """``feature_store.yaml`` with this data set's project and registry.

    ``offline=False`` is for the scorer: the offline store stays at Feast's default, so that DuckDB is not needed, and
    the Redis timeout is ``redis_timeout_s``. Otherwise the Redis timeout is the longer one of bulk writes.
    ``known_at``: retrievals leave out feature rows created later. Raises NoRedis if there is no Redis to connect to.
    """
    # Given a configuration, Feast takes a relative path of the registry from the working directory.
    body = _config(settings, str(settings.feast_registry.resolve()))
    if offline:
        body["offline_store"] |= {
            "memory_limit": settings.duckdb_memory_limit,
            "threads": settings.threads,
            "spill_folder": str(settings.spill_dir),
            "known_at": known_at,
        }
        body["online_store"]["connection_string"] = bulk_connection_string(settings)
    else:
        del body["offline_store"]
        body["online_store"]["connection_string"] = endpoint(settings).feast_connection_string
    return FeatureStore(config=RepoConfig(**body, repo_path=REPO))


def write_feature_store_yaml(settings: Settings) -> Path:
    """Write the data set's own feature_store.yaml, for ``feast -f FILE -c feature_repo …``."""
    path = settings.data_dir / settings.dataset / "feature_store.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(yaml.safe_dump(_config(settings, path_for_registry(settings.feast_registry)), sort_keys=False))
    partial.replace(path)
    return path
