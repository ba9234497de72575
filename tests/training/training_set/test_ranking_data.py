"""Training sets that cannot be read."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.small_log import DECLARATION
from training.training_set.build import training_schema
from training.training_set.ranking_data import BadTrainingSet, load_splits


def test_a_training_set_without_a_slate_is_named(tmp_path: Path) -> None:
    path = tmp_path / "training_set.parquet"
    pq.write_table(training_schema(DECLARATION).empty_table(), path)
    with pytest.raises(BadTrainingSet, match=re.escape(f"{path} holds no slate of train, validation, test")):
        load_splits(path, ("price",))


def test_a_training_set_that_lacks_a_feature_is_named(tmp_path: Path) -> None:
    path = tmp_path / "training_set.parquet"
    pq.write_table(training_schema(DECLARATION).empty_table(), path)
    with pytest.raises(BadTrainingSet, match=r"feature columns \['mood'\] are missing; build the training set again"):
        load_splits(path, ("price", "mood"))
