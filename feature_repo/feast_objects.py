"""Feast's entities, sources, views and feature service, made from :mod:`feature_repo.schema`."""

from __future__ import annotations

from feast import Entity, FeatureService, FeatureView, Field, FileSource, Project, ValueType
from feast.types import Array, FeastType, Float32, Int32, Int64, String, UnixTimestamp

from feature_repo.repo_paths import path_for_registry
from feature_repo.schema import ENTITIES, FEATURE_SERVICE, Declaration, DType, View, views
from infra.settings import Settings

OWNER = "ranking"

_FEAST_TYPE: dict[DType, FeastType] = {
    DType.STRING: String,
    DType.TIMESTAMP: UnixTimestamp,
    DType.FLOAT32: Float32,
    DType.INT32: Int32,
    DType.INT64: Int64,
    DType.STRING_LIST: Array(String),
    DType.INT64_LIST: Array(Int64),
    DType.FLOAT32_LIST: Array(Float32),
}


def feature_view(view: View, entity: Entity, settings: Settings) -> FeatureView:
    source = FileSource(
        name=f"{view.name}_parquet",
        path=path_for_registry(settings.features_dir / f"{view.name}.parquet"),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
        description=f"{view.description} Built by feature_repo.build.",
        owner=OWNER,
    )
    return FeatureView(
        name=view.name,
        entities=[entity],
        ttl=view.ttl,
        schema=[
            Field(name=view.join_key, dtype=String),
            *(
                Field(
                    name=column.name,
                    dtype=_FEAST_TYPE[column.dtype],
                    description=column.description,
                    tags={"unit": column.unit or "none", "owner": OWNER},
                )
                for column in view.columns
            ),
        ],
        source=source,
        online=True,
        description=view.description,
        tags={"owner": OWNER, "granularity": view.granularity, "publish_delay": str(view.publish_delay)},
        owner=OWNER,
    )


def value_types(view: View) -> dict[str, ValueType]:
    """Column name -> Feast's value type, for the join key and each column."""
    types = {view.join_key: String} | {column.name: _FEAST_TYPE[column.dtype] for column in view.columns}
    return {name: feast_type.to_value_type() for name, feast_type in types.items()}


def feast_objects(settings: Settings, declaration: Declaration) -> tuple[object, ...]:
    """The project, entities, views and feature service that ``FeatureStore.apply`` registers."""
    entities = {
        name: Entity(
            name=name,
            join_keys=[f"{name}_id"],
            value_type=ValueType.STRING,
            description=f"One {name} of the log.",
            tags={"owner": OWNER, "unit": "id"},
            owner=OWNER,
        )
        for name in ENTITIES
    }
    feature_views = [feature_view(view, entities[view.entity], settings) for view in views(declaration)]
    service = FeatureService(
        name=FEATURE_SERVICE,
        features=feature_views,
        description="All stored features of the ranker, for training and for serving.",
        tags={"owner": OWNER, "unit": "see each feature"},
        owner=OWNER,
    )
    project = Project(name=settings.dataset, description=declaration.title, owner=OWNER)
    return (project, *entities.values(), *feature_views, service)
