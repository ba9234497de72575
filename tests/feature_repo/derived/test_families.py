from pathlib import Path

import numpy as np
import pytest

from feature_repo import derived as derived_package
from feature_repo.derived.families import (
    FIRST,
    BadFamily,
    derived_columns,
    derived_features,
    found_in,
)
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.slate import floats
from infra.models.vocabulary import NO_TEXTS
from tests.feature_repo.derived.slates import DECLARATION, USER, slate

OWN = """
from feature_repo.derived.family import derived

@derived(version=1, reads=("item_attributes:price",), gives=(("is_above_mean", "1 above the mean price", "flag"),))
def above_mean(slate, declaration):
    price = slate.items["price"]
    return {"is_above_mean": price > price.mean()}
"""


def test_the_matrix_has_every_feature_in_order_and_nan_for_what_was_not_read():
    features = model_features(DECLARATION)
    missing = {feature.name: floats([None] * 3) for feature in features if feature.source.startswith("item")}
    whole = slate(user=USER)
    matrix = feature_matrix(slate(user=USER, items={**missing, **whole.items}), DECLARATION, NO_TEXTS)
    names = [feature.name for feature in features]
    assert matrix.shape == (3, len(names))
    assert matrix.dtype == np.float32
    assert matrix[:, names.index("user_orders_all")].tolist() == [4, 4, 4]
    assert matrix[:, names.index("price")][:2].tolist() == [1, 3]
    assert np.isnan(matrix[:, names.index("session_views")]).all()


def test_the_declared_derived_features_are_the_computed_ones():
    assert [f.name for f in derived_features()] == list(derived_columns(slate(user=USER), DECLARATION))


def test_a_file_of_ones_own_is_a_family_after_those_that_are_built_in(tmp_path, monkeypatch):
    monkeypatch.setattr(derived_package, "__path__", [*derived_package.__path__, str(tmp_path)])
    (tmp_path / "above_mean.py").write_text(OWN)
    for name in ("ages", "family"):
        (tmp_path / f"{name}.py").touch()  # as they stand beside it; imported from where they are
    found = found_in(tmp_path)
    assert [family.name for family in found] == ["ages", "above_mean"]
    assert found[1].features[0].name == "is_above_mean"


def test_a_file_without_a_family_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(derived_package, "__path__", [*derived_package.__path__, str(tmp_path)])
    (tmp_path / "no_family.py").write_text("def no_family(slate, declaration): ...\n")
    with pytest.raises(BadFamily, match=r"derived/no_family.py holds no family no_family: it needs a function of this"):
        found_in(tmp_path)
    (tmp_path / "no_family.py").unlink()
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(BadFamily, match=r"derived/broken.py cannot be executed: ZeroDivisionError"):
        found_in(tmp_path)


@pytest.mark.parametrize("family", FIRST)
def test_each_family_that_is_built_in_has_tests_of_its_name(family):
    assert (Path(__file__).parent / f"test_{family}.py").is_file()
