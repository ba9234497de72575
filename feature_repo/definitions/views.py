"""What the modules of this repository define, as build, gates, training and serving read it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path

from feast import FeatureView, ValueType

from feature_repo.definitions.data_set import WRITTEN_BY_BUILD, DataSet
from feature_repo.definitions.fields import column_of, feast_type
from feature_repo.definitions.repo import BadDefinitions, load
from feature_repo.definitions.view import KEYED, Origin, View
from feature_repo.schema import Declaration

FOREVER = timedelta(days=36_500)  # of a view without a time to live
_ENTITIES = ("item", "user", "session")
_ORDER = (*_ENTITIES, KEYED)  # in the model's features


@cache  # needed for every slate
def views(declaration: Declaration) -> tuple[View, ...]:
    """The views of the feature service: of items, of users, of sessions, then of other keys; else in its order.

    Raises BadDefinitions.
    """
    repo = load(DataSet(declaration, Path("features")))  # the paths of the built tables are not read
    named = {view.name: view for view in repo.views}
    keys = {entity.name: entity.join_key for entity in repo.entities}
    found = [as_view(named[each.name], keys) for each in repo.service.feature_view_projections]
    return tuple(sorted(found, key=lambda view: _ORDER.index(view.entity)))


def as_view(view: FeatureView, join_keys: Mapping[str, str]) -> View:
    """``join_keys``: entity -> its join key. Raises BadDefinitions where the model cannot use the view."""
    unknown = [name for name in view.entities if name not in join_keys]
    if unknown:
        raise BadDefinitions(f"{view.name}: it has no entity, or one that no module defines: {', '.join(unknown)}")
    is_plain = len(view.entities) == 1 and view.entities[0] in _ENTITIES
    try:
        columns = tuple(column_of(field) for field in view.features)
        delay = timedelta(minutes=float(view.tags.get("minutes_to_publish", 0)))
    except ValueError as error:
        raise BadDefinitions(f"{view.name}: {error}") from error
    return View(
        name=view.name,
        entity=view.entities[0] if is_plain else KEYED,
        description=view.description,
        ttl=view.ttl or FOREVER,
        granularity=view.tags.get("granularity", ""),
        publish_delay=delay,
        columns=columns,
        origin=_origin(view),
        keys=() if is_plain else tuple(join_keys[name] for name in view.entities),
    )


def _origin(view: FeatureView) -> Origin | None:
    tags = view.batch_source.tags if view.batch_source is not None else {}
    if WRITTEN_BY_BUILD not in tags:
        raise BadDefinitions(
            f"{view.name}: its rows would not be checked, because its source is not copied by build. Let it be "
            f'source=data_set().own("{view.name}", "warehouse/quality.csv", timestamp_field="known_at")'
        )
    if "timestamp_field" not in tags:
        return None
    return Origin(tags[WRITTEN_BY_BUILD], tags["timestamp_field"], tags["created_timestamp_column"])


def named_view(declaration: Declaration, name: str) -> View:
    return next(each for each in views(declaration) if each.name == name)


def item_attributes_view(declaration: Declaration) -> View:
    return named_view(declaration, ITEM_ATTRIBUTES)


def value_types(view: View) -> dict[str, ValueType]:
    """Column name -> Feast's value type, for the join key and each column."""
    columns = {column.name: feast_type(column).to_value_type() for column in view.columns}
    return {**dict.fromkeys(view.join_keys, ValueType.STRING), **columns}


ITEM_ATTRIBUTES = "item_attributes"

_NO_DATA_SET = Declaration("", "")  # these are the same for all
ITEM_WINDOWS = named_view(_NO_DATA_SET, "item_windows")
ITEM_COMPANIONS = named_view(_NO_DATA_SET, "item_companions")
ITEM_REPEATS = named_view(_NO_DATA_SET, "item_repeats")
USER_WINDOWS = named_view(_NO_DATA_SET, "user_windows")
USER_HISTORY = named_view(_NO_DATA_SET, "user_history")
SESSION_STATE = named_view(_NO_DATA_SET, "session_state")
