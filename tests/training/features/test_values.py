"""Columns of a training set, read one at a time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.features.values import read_values
from training.training_set.ranking_data import BadTrainingSet

SPLIT = ["train", "train", "validation", "validation", "test", "test"]


def written(folder, **columns):
    path = folder / "training_set.parquet"
    pq.write_table(pa.table({"split": SPLIT, **columns}), path)
    return path


def test_coverage_is_the_share_of_rows_with_a_value_by_split(tmp_path):
    half = pa.array([1.0, None, float("nan"), None, 2.0, 3.0], pa.float32())
    (found,) = read_values(written(tmp_path, half=half), {"half": "float32"})
    assert found.coverage() == {"train": 0.5, "validation": 0.0, "test": 1.0}
    assert not found.is_category
    assert found.by_split["test"].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("dictionary", [False, True])
def test_texts_are_categories_with_one_number_per_level_in_all_splits(tmp_path, dictionary):
    brand = pa.array(["b", None, "a", "b", "a", "c"], pa.string())
    path = written(tmp_path, brand=brand.dictionary_encode() if dictionary else brand)
    (found,) = read_values(path, {"brand": "category"})
    assert found.is_category
    assert found.coverage() == {"train": 0.5, "validation": 1.0, "test": 1.0}
    train, validation, test = found.by_split.values()
    assert train[0] == validation[1]
    assert validation[0] == test[0]
    assert len({train[0], test[0], test[1]}) == 3


def test_numbers_of_levels_are_categories_where_the_feature_says_so(tmp_path):
    codes = pa.array([0.0, 1.0, None, 1.0, 2.0, 0.0], pa.float32())
    (found,) = read_values(written(tmp_path, brand=codes), {"brand": "category"})
    assert found.is_category
    assert found.by_split["test"].tolist() == [2.0, 0.0]
    assert np.isnan(found.by_split["validation"][0])


def test_what_is_missing_is_named(tmp_path):
    path = written(tmp_path, one=pa.array([0.0] * 6, pa.float32()))
    with pytest.raises(BadTrainingSet, match="'other'"):
        list(read_values(path, {"one": "float32", "other": "float32"}))
    with pytest.raises(BadTrainingSet, match=r"is missing: run `python -m training\.training_set`"):
        list(read_values(tmp_path / "none.parquet", {"one": "float32"}))
    with pytest.raises(BadTrainingSet, match="no rows are in the split later"):
        list(read_values(path, {"one": "float32"}, ("train", "later")))
