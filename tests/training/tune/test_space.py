"""What a trial can take from a space."""

import optuna
import pytest

from training.tune.space import Dimension, Space, lightgbm_dimensions, with_values

SOURCE = Space(
    (
        Dimension("sources.als.candidates?", choices=(True, False), present=True),
        Dimension("sources.als.candidates", 10, 75, present=50, only_if=("sources.als.candidates?", True), otherwise=0),
    )
)


def test_a_source_that_is_off_has_no_candidates():
    off = optuna.trial.FixedTrial({"sources.als.candidates?": False})
    on = optuna.trial.FixedTrial({"sources.als.candidates?": True, "sources.als.candidates": 33})
    assert SOURCE.suggest(off) == {"sources.als.candidates": 0}
    assert SOURCE.suggest(on) == {"sources.als.candidates": 33}


def test_the_present_values_are_dimensions():
    assert SOURCE.present() == {"sources.als.candidates?": True, "sources.als.candidates": 50}


def test_a_level_of_lambdarank_is_asked_for_with_lambdarank_only():
    space = Space(lightgbm_dimensions("lightgbm.", {"objective": "binary"}, ("lambdarank", "binary")))
    assert "lightgbm.lambdarank_truncation_level" not in space.present()
    space = Space(lightgbm_dimensions("lightgbm.", {}, ("lambdarank", "binary")))
    assert space.present()["lightgbm.lambdarank_truncation_level"] == 30


@pytest.mark.parametrize("lightgbm", [{"num_leaves": 500, "learning_rate": 0.001, "lambda_l2": 0.0}, {}])
def test_present_values_outside_the_ranges_are_tried(lightgbm):
    space = Space(lightgbm_dimensions("", lightgbm))
    study = optuna.create_study()
    study.enqueue_trial(space.present())
    found = space.suggest(study.ask())
    defaults = {"num_leaves": 31, "learning_rate": 0.1, "lambda_l2": 0.0, "feature_fraction": 1.0}
    assert found.items() >= {**defaults, **lightgbm}.items()


def test_values_are_put_where_their_paths_lead_and_the_rest_stays():
    params = {"train": {"seed": 7, "lightgbm": {"a": 1}}}
    assert with_values(params, {"train.lightgbm.a": 2, "sources.als.candidates": 3}) == {
        "train": {"seed": 7, "lightgbm": {"a": 2}},
        "sources": {"als": {"candidates": 3}},
    }
    assert params == {"train": {"seed": 7, "lightgbm": {"a": 1}}}


def test_untuned_is_what_no_dimension_names():
    space = Space((Dimension("lightgbm.a", 0, 1), Dimension("b.c", 0, 1)))
    assert space.untuned({"seed": 7, "lightgbm": {"a": 1, "d": 2}}) == {"seed": 7, "lightgbm": {"d": 2}}
