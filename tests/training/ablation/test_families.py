from __future__ import annotations

from feature_repo.model_features import model_features
from feature_repo.schema import Column, Declaration, DType
from training.ablation.families import FACTS, feature_families

DECLARATION = Declaration(
    name="tiny",
    title="A shop with a store in its requests",
    context=(Column("store_id", DType.STRING, "store of the slate", nullable=True),),
)


def test_each_feature_is_in_one_family():
    families = feature_families(DECLARATION)
    members = [name for family in families.values() for name in family]
    assert sorted(members) == sorted(feature.name for feature in model_features(DECLARATION))
    assert all(families.values())


def test_views_are_families_of_their_stored_features_and_what_the_caller_sends_is_one():
    families = feature_families(DECLARATION)
    sent = [feature.name for feature in model_features(DECLARATION) if feature.source == "request"]
    assert list(families[FACTS]) == sent
    assert "item_windows" in families
