"""Rankers: scores, files, and refused inputs."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.models.ranker import (
    RANDOM_KEY,
    BadGroups,
    BadModel,
    BaselineRanker,
    LightGbmRanker,
    Ranker,
    load_ranker,
    score_groups,
)
from infra.models.vocabulary import Vocabulary

NAMES = ("a", "b", "c")
NAN = float("nan")


def slate(rows: int, seed: int = 0) -> np.ndarray:
    matrix = np.random.default_rng(seed).normal(size=(rows, len(NAMES))).astype(np.float32)
    matrix[::7, 1] = NAN
    return matrix


@pytest.fixture(scope="module")
def lambdamart() -> LightGbmRanker:
    matrix = slate(400)
    labels = (matrix[:, 0] > 0.5).astype(int)
    params = {"objective": "lambdarank", "num_threads": 1, "verbose": -1, "seed": 1, "min_data_in_leaf": 5}
    booster = lightgbm.train(params, lightgbm.Dataset(matrix, labels, group=[20] * 20), num_boost_round=15)
    return LightGbmRanker(booster, NAMES)


@pytest.fixture(scope="module")
def baseline() -> BaselineRanker:
    return BaselineRanker("popular", (("b", 1), ("a", -1)), NAMES)


def scores(keys: tuple[tuple[str, int], ...], rows: list[list[float]]) -> list[float]:
    return list(BaselineRanker("x", keys, NAMES).score(np.array(rows, dtype=np.float32)))


# ---------------------------------------------------------------------------------- baselines


def test_a_baseline_score_is_the_dense_rank_over_the_number_of_ranks() -> None:
    assert scores((("a", 1),), [[5, 0, 0], [9, 0, 0], [5, 0, 0], [1, 0, 0]]) == [2 / 3, 1.0, 2 / 3, 1 / 3]


def test_a_later_key_only_breaks_the_ties_of_earlier_keys() -> None:
    assert scores((("a", 1), ("b", -1)), [[1, 0, 0], [2, 9, 0], [2, 3, 0]]) == [1 / 3, 2 / 3, 1.0]


def test_nan_sorts_last_under_either_sign() -> None:
    for sign in (1, -1):
        got = scores((("a", sign),), [[NAN, 0, 0], [-4, 0, 0], [4, 0, 0], [NAN, 0, 0]])
        assert got[0] == got[3] == min(got) < min(got[1:3])


def test_a_column_that_is_unknown_in_all_rows_has_no_effect() -> None:
    assert scores((("a", 1), ("b", 1)), [[NAN, 1, 0], [NAN, 2, 0]]) == [0.5, 1.0]


@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=1, max_size=30))
def test_baseline_scores_are_in_the_unit_interval_and_order_like_the_key_tuples(pairs: list[tuple[int, int]]) -> None:
    got = scores((("a", 1), ("b", -1)), [[a, b, 0] for a, b in pairs])
    assert min(got) > 0
    assert max(got) == 1.0
    keys = [(a, -b) for a, b in pairs]
    for i in range(len(pairs)):
        for j in range(len(pairs)):
            assert (got[i] < got[j]) == (keys[i] < keys[j])


def test_random_gives_the_same_slate_the_same_order_without_ties() -> None:
    ranker = BaselineRanker("random", ((RANDOM_KEY, 1),), NAMES)
    first = ranker.score(slate(200))
    np.testing.assert_array_equal(first, ranker.score(slate(200)))
    assert len(set(first)) == 200
    assert not np.array_equal(first, ranker.score(slate(200, seed=1)))
    assert not np.array_equal(first, BaselineRanker("random", ((RANDOM_KEY, 1),), NAMES, seed=5).score(slate(200)))


def test_random_ignores_the_payload_of_a_nan_and_the_sign_of_a_zero() -> None:
    ranker = BaselineRanker("random", ((RANDOM_KEY, 1),), NAMES)
    plain = np.zeros((9, 3), dtype=np.float32)
    plain[4, 1] = NAN
    odd = -plain
    odd.view(np.uint32)[4, 1] = 0xFFC00123  # a NaN with another payload
    np.testing.assert_array_equal(ranker.score(plain), ranker.score(odd))


def test_random_prefers_no_position() -> None:
    ranker = BaselineRanker("random", ((RANDOM_KEY, 1),), NAMES)
    mean = np.mean([ranker.score(slate(10, seed)) for seed in range(1_000)], axis=0)
    np.testing.assert_allclose(mean, 0.55, atol=0.05)  # sd of each mean is 0.009


def test_a_baseline_with_bad_keys_is_refused() -> None:
    with pytest.raises(BadModel, match="sorts by 'nope'"):
        BaselineRanker("x", (("nope", 1),), NAMES)
    with pytest.raises(BadModel, match="sign of 'a' is 0"):
        BaselineRanker("x", (("a", 0),), NAMES)
    with pytest.raises(BadModel, match="no keys"):
        BaselineRanker("x", (), NAMES)


# ------------------------------------------------------------------------------------- files


def test_a_saved_lambdamart_scores_the_same_bit_for_bit(lambdamart: LightGbmRanker, tmp_path: Path) -> None:
    lambdamart.save(tmp_path / "m")
    loaded = load_ranker(tmp_path / "m")
    assert loaded.kind == "lightgbm"
    assert loaded.feature_names == NAMES
    np.testing.assert_array_equal(loaded.score(slate(50)), lambdamart.score(slate(50)))
    assert len(set(loaded.score(slate(50)))) > 5


def test_a_saved_baseline_is_loaded_equal(baseline: BaselineRanker, tmp_path: Path) -> None:
    baseline.save(tmp_path / "m")
    assert load_ranker(tmp_path / "m") == baseline


def test_save_leaves_no_partial_file(lambdamart: LightGbmRanker, tmp_path: Path) -> None:
    lambdamart.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.txt", "vocabulary.json"]


def test_a_changed_or_missing_vocabulary_is_refused(lambdamart: LightGbmRanker, tmp_path: Path) -> None:
    ranker = LightGbmRanker(lambdamart.booster, NAMES, vocabulary=Vocabulary({"b": ("own", "other")}))
    ranker.save(tmp_path)
    assert load_ranker(tmp_path).vocabulary.texts == {"b": ("own", "other")}
    (tmp_path / "vocabulary.json").write_text('{"b": ["other", "own"]}')
    with pytest.raises(BadModel, match=r"vocabulary\.json was changed or truncated"):
        load_ranker(tmp_path)
    (tmp_path / "vocabulary.json").unlink()
    with pytest.raises(BadModel, match=r"vocabulary\.json cannot be read"):
        load_ranker(tmp_path)


def test_a_vocabulary_of_another_model_is_refused(lambdamart: LightGbmRanker) -> None:
    with pytest.raises(BadModel, match=r"the vocabulary has \['brand'\], which are not among the features"):
        LightGbmRanker(lambdamart.booster, NAMES, vocabulary=Vocabulary({"brand": ()}))


def test_a_model_of_a_release_without_vocabularies_is_loaded(lambdamart: LightGbmRanker, tmp_path: Path) -> None:
    lambdamart.save(tmp_path)
    (tmp_path / "vocabulary.json").unlink()
    card = json.loads((tmp_path / "model.json").read_text())
    del card["vocabulary_sha256"]
    (tmp_path / "model.json").write_text(json.dumps(card))
    assert load_ranker(tmp_path).vocabulary.texts == {}


def test_a_model_with_another_number_of_inputs_than_features_is_refused(
    lambdamart: LightGbmRanker, tmp_path: Path
) -> None:
    with pytest.raises(BadModel, match="3 inputs, but 2 features"):
        LightGbmRanker(lambdamart.booster, ("a", "b"))
    lambdamart.save(tmp_path)
    card = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**card, "feature_names": [*NAMES, "d"]}))
    with pytest.raises(BadModel, match="3 inputs, but 4 features"):
        load_ranker(tmp_path)


def test_a_model_with_damaged_trees_is_refused_before_lightgbm_reads_it(
    lambdamart: LightGbmRanker, tmp_path: Path
) -> None:
    """The digest fits. LightGBM would write beyond its own memory."""
    lambdamart.save(tmp_path)
    text = re.sub(r"\nsplit_feature=\d+", "\nsplit_feature=9", (tmp_path / "model.txt").read_text(), count=1)
    (tmp_path / "model.txt").write_text(text)
    card = json.loads((tmp_path / "model.json").read_text())
    card["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / "model.json").write_text(json.dumps(card))
    with pytest.raises(BadModel, match=r"tree 0 is damaged: it splits feature 9, but the model has 3 features"):
        load_ranker(tmp_path)


def test_a_truncated_model_is_refused_before_lightgbm_can_abort_the_process(
    lambdamart: LightGbmRanker, tmp_path: Path
) -> None:
    lambdamart.save(tmp_path)
    text = (tmp_path / "model.txt").read_text()
    (tmp_path / "model.txt").write_text(text[: len(text) // 3])
    with pytest.raises(
        BadModel, match=r"model\.txt was changed or truncated: its digest is not the one in model\.json"
    ):
        load_ranker(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"neither of baseline\.json and model\.json"):
        load_ranker(tmp_path)


def test_a_folder_with_two_rankers_is_refused(
    lambdamart: LightGbmRanker, baseline: BaselineRanker, tmp_path: Path
) -> None:
    lambdamart.save(tmp_path)
    baseline.save(tmp_path)
    with pytest.raises(BadModel, match="both"):
        load_ranker(tmp_path)


def test_a_model_card_without_its_model_is_refused(lambdamart: LightGbmRanker, tmp_path: Path) -> None:
    lambdamart.save(tmp_path)
    (tmp_path / "model.txt").unlink()
    with pytest.raises(BadModel, match=r"model\.txt cannot be read"):
        load_ranker(tmp_path)


@pytest.mark.parametrize("name", ["baseline.json", "model.json"])
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kind": "baseline"}', '{"kind": "lightgbm"}'])
def test_a_broken_card_is_refused_and_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadModel, match=name):
        load_ranker(tmp_path)


def test_a_text_that_is_not_a_model_is_refused(lambdamart: LightGbmRanker, tmp_path: Path) -> None:
    class NoModel:
        def num_feature(self) -> int:
            return len(NAMES)

        def model_to_string(self) -> str:
            return "not a model"

    LightGbmRanker(NoModel(), NAMES).save(tmp_path)
    with pytest.raises(BadModel, match="is not a LightGBM model"):
        load_ranker(tmp_path)


# ------------------------------------------------------------------------------- many slates


def test_scores_of_many_slates_at_once_equal_the_scores_of_each_slate(
    lambdamart: LightGbmRanker, baseline: BaselineRanker
) -> None:
    sizes = np.array([3, 1, 40, 6])
    matrix = slate(50)
    rankers: tuple[Ranker, ...] = (lambdamart, baseline)
    for ranker in rankers:
        each = [ranker.score(part) for part in np.split(matrix, np.cumsum(sizes)[:-1])]
        got = score_groups(ranker, matrix, sizes, threads=2)
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, np.concatenate(each))


def test_an_empty_slate_has_no_scores(lambdamart: LightGbmRanker, baseline: BaselineRanker) -> None:
    empty = np.empty((0, len(NAMES)), dtype=np.float32)
    assert lambdamart.score(empty).shape == baseline.score(empty).shape == (0,)


def test_a_matrix_of_another_width_is_refused(lambdamart: LightGbmRanker, baseline: BaselineRanker) -> None:
    for ranker in (lambdamart, baseline):
        with pytest.raises(ValueError, match=r"\(4, 2\), but the ranker reads 3 features"):
            ranker.score(slate(4)[:, :2])


@pytest.mark.parametrize("sizes", [[], [50, 0], [49], [25.0, 25.0], [-1, 51], [[50]]])
def test_sizes_that_do_not_sum_to_the_rows_are_refused(baseline: BaselineRanker, sizes: list[object]) -> None:
    with pytest.raises(BadGroups):
        score_groups(baseline, slate(50), np.array(sizes))
