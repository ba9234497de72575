"""The ranker's ablation over a training set whose test split cannot be read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.small_log import DECLARATION
from tests.training.evaluation.test_ranker_evaluation import PARAMS
from tests.training.tune.test_ranker_task import FILE, NAMES, SLATES, unreadable_test_split
from training.ablation.experiment import run
from training.ablation.families import feature_families
from training.ablation.ranker import ranker_experiment
from training.training_set.ranking_data import load_splits


def test_the_family_that_the_labels_follow_earns_its_place_and_the_test_split_is_not_read(tmp_path):
    settings = unreadable_test_split(tmp_path)
    with pytest.raises(OSError, match=r".+"):
        load_splits(settings.training_dir / FILE, NAMES)
    whole = ranker_experiment(settings, {"train": {**PARAMS, "bootstrap_resamples": 200}})
    families = feature_families(DECLARATION)
    assert [arm.name for arm in whole.arms] == list(families)
    wanted = next(name for name, features in families.items() if NAMES[0] in features)
    other = next(name for name, features in families.items() if NAMES[0] not in features)
    arms = [arm for arm in whole.arms if arm.name in (wanted, other)]
    found = run(replace(whole, arms=arms), 1)
    worth = {row.name: row.worth for row in found.rows}
    assert found.columns == len(NAMES)
    assert {row.name: row.columns for row in found.rows}[wanted] == len(NAMES) - len(families[wanted])
    assert worth[wanted].low > 0.1
    assert worth[other].high < worth[wanted].low
    assert 0 < worth[wanted].slates <= SLATES
