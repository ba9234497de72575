"""Whose features there are."""

from feast import Entity, Project, ValueType

from feature_repo.definitions.data_set import OWNER, data_set

project = Project(name=data_set().declaration.name, description=data_set().declaration.title, owner=OWNER)

item = Entity(
    name="item",
    join_keys=["item_id"],
    value_type=ValueType.STRING,
    description="What can be shown: a product, a restaurant, a track, a film.",
    owner=OWNER,
)

user = Entity(
    name="user",
    join_keys=["user_id"],
    value_type=ValueType.STRING,
    description="Who looks and orders.",
    owner=OWNER,
)

session = Entity(
    name="session",
    join_keys=["session_id"],
    value_type=ValueType.STRING,
    description="One visit of a user, or of somebody who is not known.",
    owner=OWNER,
)
