"""Decides which views the bulk engine can materialize. Feast's local engine does the others."""

from __future__ import annotations

from feast import FeatureView
from feast.feature_view import DUMMY_ENTITY_NAME
from feast.infra.common.materialization_job import MaterializationTask
from feast.infra.online_stores.online_store import OnlineStore

from feature_repo.online.store import ServedRedisOnlineStore


def unsupported(task: MaterializationTask, online_store: OnlineStore) -> str | None:
    """Why the bulk engine cannot do this task, as text. None if it can."""
    view = task.feature_view
    obstacles = {
        f"the online store is a {type(online_store).__name__}": not isinstance(online_store, ServedRedisOnlineStore),
        f"it is a {type(view).__name__}": type(view) is not FeatureView,
        "it has a transformation": bool(getattr(view, "feature_transformation", None)),
        "it has aggregations": bool(getattr(view, "aggregations", None)),
        "it has a filter": bool(getattr(view, "filter", None)),
        "it is made of other views": bool(view.source_views) or view.batch_source is None,
        "it is written to the offline store too": view.offline,
        "it is not online": not view.online,
        "its rows must be validated": bool(view.enable_validation),
        "it has a vector index": any(field.vector_index for field in view.features),
        "it has no entity": DUMMY_ENTITY_NAME in view.entities,
        "all rows are requested, not only the latest": not task.only_latest,
    }
    return "; ".join(text for text, applies in obstacles.items() if applies) or None
