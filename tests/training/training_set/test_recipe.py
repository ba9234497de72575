"""A training set that is built again by its recipe is equal, whatever data has arrived since."""

from datetime import datetime

import duckdb
import pytest

from feature_repo.apply import apply
from feature_repo.build.__main__ import build
from infra.settings import Settings
from tests.small_log import at, event, impression, item, write_log
from training.training_set.build import RECIPE_FILE, write_training_set
from training.training_set.recipe import read_recipe

SPLIT = {"validation_start": at(6).isoformat(), "test_start": at(8).isoformat()}
ITEMS = [item(name) for name in "ab"]
EVENTS = [event(i, at(i, 7), "order", "ab"[i % 2], session_id=f"s{i}", value=1.0) for i in range(9)]
SLATES = [impression(str(day), i, at(day, 60), name) for day in (5, 7, 9) for i, name in enumerate("ab")]


def shop(folder, *, events=EVENTS, slates=SLATES) -> Settings:
    settings = Settings(
        data_dir=folder, state_dir=folder / "var", dataset="tiny", threads=1, redis_url="redis://127.0.0.1:1/0"
    )
    write_log(settings.log_dir, items=ITEMS, events=events, impressions=slates)
    build(settings)
    apply(settings)
    return settings


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    settings = shop(tmp_path_factory.mktemp("first"))
    return settings, write_training_set(settings, SPLIT)


def again(recipe, settings):
    return write_training_set(settings, recipe.split, datetime.fromisoformat(recipe.known_at))


def test_the_recipe_is_beside_the_training_set_and_reproduces_it(first):
    settings, recipe = first
    assert read_recipe(settings.training_dir / RECIPE_FILE) == recipe
    assert (recipe.rows, recipe.slates) == (6, 3)
    assert again(recipe, settings) == recipe


def test_later_data_does_not_change_a_training_set_with_an_earlier_known_at(first, tmp_path):
    _, recipe = first
    late = [
        event(
            90, at(4, 9), "order", "a", session_id="s4", received_ts=at(30)
        ),  # happened before known_at, received later
        event(91, at(31), "order", "b", session_id="new"),
    ]
    later = [impression("late", i, at(32), name) for i, name in enumerate("ab")]
    settings = shop(tmp_path, events=EVENTS + late, slates=SLATES + later)
    assert again(recipe, settings) == recipe
    assert write_training_set(settings, SPLIT).content_hash != recipe.content_hash


def test_a_correction_has_an_effect_only_on_later_training_sets(first, tmp_path):
    _, recipe = first
    settings = shop(tmp_path)
    path = settings.features_dir / "item_windows.parquet"
    created = "TIMESTAMPTZ '2024-06-01 00:00:00+00'"
    duckdb.connect().execute(
        f"""
        COPY (
            FROM read_parquet('{path}') UNION ALL
            SELECT * REPLACE (orders_7d + 100 AS orders_7d, {created} AS created_timestamp)
            FROM read_parquet('{path}')
        ) TO '{path}.new' (FORMAT parquet)
        """
    )
    path.with_name("item_windows.parquet.new").replace(path)
    assert again(recipe, settings).content_hash == recipe.content_hash
    corrected = write_training_set(settings, SPLIT)
    assert corrected.content_hash != recipe.content_hash
    assert corrected.known_at == "2024-06-01T00:00:00+00:00"
    assert corrected.entity_rows_hash == recipe.entity_rows_hash


def test_other_labels_change_the_hash_of_the_entity_rows(first, tmp_path):
    _, recipe = first
    found = again(recipe, shop(tmp_path, slates=[{**row, "label": 1} for row in SLATES]))
    assert found.entity_rows_hash != recipe.entity_rows_hash
    assert found.feature_service_hash == recipe.feature_service_hash
