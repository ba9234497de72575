from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from feature_repo.model_features import model_features
from feature_repo.schema import Column, Declaration, DType
from tests.own_repo import add_view, copied_repo, view_of
from training.ablation.families import feature_families

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


def test_stored_features_are_in_the_family_of_their_view():
    families = feature_families(DECLARATION)
    for view in ("item_windows", "item_repeats", "user_windows", "session_state"):
        stored = [
            each.name for each in model_features(DECLARATION) if each.source == view and each.name in families[view]
        ]
        assert list(families[view]) == stored
        assert stored


def test_categories_of_built_in_views_and_of_the_context_are_a_family():
    assert feature_families(DECLARATION)["categories"] == ("category_id", "brand", "shop_id", "context_store_id")


def test_a_view_of_ones_own_keeps_its_categories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = view_of("household", "user", people="Float32", income_group="String")
    add_view(copied_repo(tmp_path, monkeypatch), "household", added)
    families = feature_families(replace(DECLARATION, name="with_households"))  # views are kept by data set
    assert families["household"] == ("people", "income_group")
    assert "income_group" not in families["categories"]
