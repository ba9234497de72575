"""The modules of the repository are executed for a data set; a module of the user's own is found."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY, SIMULATED
from feature_repo.definitions.data_set import DataSet
from feature_repo.definitions.repo import BadDefinitions, load
from feature_repo.definitions.views import as_view, views
from feature_repo.schema import Column, DType
from tests.own_repo import add_view, copied_repo

OWN = """
from feast import FeatureView, Field
from feast.types import Float32
from feature_repo.definitions.data_set import data_set
from feature_repo.entities import item

restaurant = FeatureView(
    name="restaurant", entities=[item], source=data_set().built("restaurant"),
    schema=[Field(name="stars", dtype=Float32)],
)
"""


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return copied_repo(tmp_path, monkeypatch)


def data_set(folder: Path = Path("features")) -> DataSet:
    return DataSet(SIMULATED, folder)


def test_each_data_set_has_its_own_columns_and_files(tmp_path: Path) -> None:
    of_two = [load(DataSet(each, tmp_path / each.name)) for each in (SIMULATED, COMPLETE_JOURNEY)]
    attributes = [next(view for view in each.views if view.name == "item_attributes") for each in of_two]
    names = [[field.name for field in view.features] for view in attributes]
    assert names[0][5:] == ["quality", "in_stock"]
    assert names[1][5:] == ["is_private_brand", "in_stock"]
    assert [view.batch_source.path for view in attributes] == [
        str(tmp_path / name / "item_attributes.parquet") for name in ("simulated", "complete_journey")
    ]
    assert [each.projects[0].name for each in of_two] == ["simulated", "complete_journey"]


def test_the_views_of_a_declaration_have_its_columns_though_another_has_its_name() -> None:
    stars = Column("stars", DType.FLOAT32, "mean stars", nullable=True)
    other = replace(SIMULATED, item_extras=(stars,))
    assert stars in views(other)[0].columns
    assert stars not in views(SIMULATED)[0].columns


def test_loading_leaves_no_module_behind() -> None:
    before = set(sys.modules)
    load(data_set())
    assert not {name for name in set(sys.modules) - before if name.startswith("feature_repo.")}


def test_a_view_of_ones_own_is_found_once_it_is_in_the_service(copied: Path) -> None:
    (copied / "restaurant_views.py").write_text(OWN)
    with pytest.raises(BadDefinitions, match="restaurant is in no feature service: add it to ranker_v1"):
        load(data_set())
    add_view(copied, "restaurant", OWN)
    found = load(data_set())
    own = next(view for view in found.views if view.name == "restaurant")
    assert as_view(own, {"item": "item_id"}).columns == (Column("stars", DType.FLOAT32, "stars", nullable=True),)
    assert as_view(own, {"item": "item_id"}).entity == "item"


def test_a_module_that_cannot_be_executed_is_named(copied: Path) -> None:
    (copied / "restaurant_views.py").write_text("import nothing_like_it\n")
    with pytest.raises(BadDefinitions, match=r"feature_repo/restaurant_views.py cannot be executed: ModuleNotFound"):
        load(data_set())


def test_a_service_of_another_name_is_not_the_models(copied: Path) -> None:
    service = (copied / "service.py").read_text()
    (copied / "service.py").write_text(service.replace('name="ranker_v1"', 'name="ranker_v2"'))
    with pytest.raises(BadDefinitions, match="define 0 services ranker_v1, not one"):
        _ = load(data_set()).service
