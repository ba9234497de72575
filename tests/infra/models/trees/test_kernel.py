"""The kernel's scores are LightGBM's, bit for bit, for every kind of split, shape and layout."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.models.arrays import Doubles, Floats
from infra.models.ranker import LightGbmRanker
from infra.models.trees import columns
from infra.models.trees.forest import read_forest
from infra.models.trees.kernel import kernel
from infra.models.trees.tables import tables_of
from tests.infra.models.trees.hard_models import CASES, hard_values, text_of
from tests.infra.small_models import hard_rows, ranker_of, rows_of

BASE = rows_of(np.random.default_rng(9), 300, 4)


@pytest.fixture(scope="module")
def ranker() -> LightGbmRanker:
    return ranker_of()


def scores(text: str, matrix: Floats) -> Doubles:
    return kernel().scores(tables_of(read_forest(text)), matrix)


def scores_of(ranker: LightGbmRanker, matrix: Floats) -> Doubles:
    return scores(ranker.booster.model_to_string(), matrix)


def assert_same_bits(got: Doubles, expected: Doubles) -> None:
    np.testing.assert_array_equal(got.view(np.int64), expected.view(np.int64))


@pytest.mark.parametrize("name", CASES)
def test_scores_are_lightgbms_bit_for_bit(name: str) -> None:
    text = text_of(name)
    matrix = hard_values(CASES[name], text)
    booster = lightgbm.Booster(model_str=text)
    expected = booster.predict(matrix, raw_score=True, num_threads=1)
    tables = tables_of(read_forest(text))
    for form in (matrix, np.asfortranarray(matrix)):
        for rows in (1, 63, 64, 65, 500, len(matrix)):
            assert_same_bits(kernel().scores(tables, form[:rows]), expected[:rows])


def test_the_cases_have_every_kind_of_column_and_split() -> None:
    kinds, decisions, leaves = set(), set(), set()
    for name in CASES:
        forest = read_forest(text_of(name))
        found = tables_of(forest).columns
        kinds |= set(np.flatnonzero(np.diff([*found.starts, len(found.features)])).tolist())
        decisions |= {kind for tree in forest.trees for kind in tree.decision.tolist()}
        leaves |= {len(tree.leaves) for tree in forest.trees}
    assert kinds == {
        columns.NAN_RIGHT,
        columns.NAN_LEFT,
        columns.ZERO_LEFT,
        columns.ZERO_RIGHT,
        columns.CATEGORICAL,
    }
    assert decisions == set(range(12))
    assert {1, 2, 255, 256} <= leaves


@given(
    seed=st.integers(0, 10_000),
    rounds=st.integers(1, 8),
    features=st.integers(1, 6),
    levels=st.sampled_from([0, 3, 6]),
    leaves=st.integers(2, 40),
    missing=st.sampled_from([{}, {"zero_as_missing": True}, {"use_missing": False}]),
    objective=st.sampled_from(["lambdarank", "regression"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_small_model_scores_as_lightgbm_does_around_all_its_thresholds(
    seed: int, rounds: int, features: int, levels: int, leaves: int, missing: dict[str, Any], objective: str
) -> None:
    ranker = ranker_of(seed, rounds, features, levels, num_leaves=leaves, objective=objective, **missing)
    matrix = hard_rows(ranker, rows_of(np.random.default_rng(seed + 1), 100, features, levels))
    assert_same_bits(scores_of(ranker, matrix), ranker.score(matrix))


def test_rows_with_equal_scores_in_lightgbm_have_equal_scores_here() -> None:
    ranker = ranker_of(levels=3, rounds=20)
    matrix = rows_of(np.random.default_rng(4), 500, 4, 3)
    expected, got = ranker.score(matrix), scores_of(ranker, matrix)
    assert len(np.unique(expected)) < 200 < len(expected)
    assert_same_bits(got, expected)
    np.testing.assert_array_equal(np.argsort(-got, kind="stable"), np.argsort(-expected, kind="stable"))


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 127, 128, 129, 500])
def test_a_matrix_of_any_length_may_lie_in_memory_in_any_way(ranker: LightGbmRanker, rows: int) -> None:
    by_row = np.ascontiguousarray(np.resize(BASE, (rows, BASE.shape[1])))
    forms = {
        "row by row": by_row,
        "column by column": np.asfortranarray(by_row),
        "a part of more rows": np.asfortranarray(np.vstack([by_row, by_row]))[rows:],
        "every other row": np.repeat(by_row, 2, axis=0)[::2],
        "backwards": np.ascontiguousarray(by_row[::-1])[::-1],
        "not aligned": np.frombuffer(b"\0" + by_row.tobytes(), np.uint8)[1:].view(np.float32).reshape(by_row.shape),
    }
    expected = ranker.score(by_row) if rows else np.empty(0)
    for form, matrix in forms.items():
        before = matrix.copy()
        got = scores_of(ranker, matrix)
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, expected, err_msg=form)
        np.testing.assert_array_equal(matrix, before, err_msg=f"{form}: the caller's matrix was changed")


def test_leaves_are_added_in_lightgbms_order() -> None:
    """(0.1 + 0.2) + 0.3 is not 0.1 + (0.2 + 0.3): a sum in another order would tie these two rows, or swap them."""
    ranker = ranker_of(rounds=3, features=3, num_leaves=2)
    booster = ranker.booster
    rows = np.array([[5, 5, 5], [-5, -5, -5]], dtype=np.float32)
    leaves = booster.predict(rows, pred_leaf=True)
    for tree, (first, second) in enumerate([(0.1, 0.3), (0.2, 0.2), (0.3, 0.1)]):
        assert leaves[0, tree] != leaves[1, tree]
        booster.set_leaf_output(tree, leaves[0, tree], first)
        booster.set_leaf_output(tree, leaves[1, tree], second)
    got = scores_of(ranker, rows)
    assert got.tolist() == [0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1] == ranker.score(rows).tolist()
    assert got[0] > got[1]


def test_a_chain_of_splits_is_scored() -> None:
    chain = ranker_of(rounds=2, features=1, num_leaves=120, min_data_in_leaf=1, min_sum_hessian_in_leaf=0.0)
    matrix = hard_rows(chain, BASE[:, :1])
    assert_same_bits(scores_of(chain, matrix), chain.score(matrix))


def test_a_model_without_trees_scores_zero() -> None:
    text = ranker_of(rounds=1).booster.model_to_string()
    empty = text.split("\nTree=")[0] + "\nend of trees\n"
    assert scores(empty, BASE).tolist() == [0.0] * len(BASE)


@pytest.mark.parametrize("matrix", [BASE[:, :3], BASE.astype(np.float64), BASE[0], np.empty((3, 5), np.float32)])
def test_a_matrix_of_another_width_shape_or_precision_is_refused(ranker: LightGbmRanker, matrix: Any) -> None:
    with pytest.raises(ValueError, match=r"must be \(n, 4\) float32"):
        scores_of(ranker, matrix)


def test_many_threads_at_once_get_the_scores_of_one(ranker: LightGbmRanker) -> None:
    slates = [rows_of(np.random.default_rng(seed), 1 + seed * 7, 4) for seed in range(24)]
    expected = [ranker.score(slate) for slate in slates]
    tables = tables_of(read_forest(ranker.booster.model_to_string()))
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            found = pool.map(lambda slate: kernel().scores(tables, slate), slates)
            for got, wanted in zip(found, expected, strict=True):
                assert_same_bits(got, wanted)


def test_several_models_share_the_one_kernel(ranker: LightGbmRanker) -> None:
    assert kernel() is kernel()
    other = ranker_of(seed=1, features=6)
    wide = rows_of(np.random.default_rng(2), 70, 6)
    for _ in range(2):
        assert_same_bits(scores_of(ranker, BASE), ranker.score(BASE))
        assert_same_bits(scores_of(other, wide), other.score(wide))


def test_the_kernel_is_compiled_where_llvm_does_not_know_the_processors_features(
    ranker: LightGbmRanker, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llvmlite import binding

    def unknown() -> Any:
        raise RuntimeError("no such processor")

    monkeypatch.setattr(binding, "get_host_cpu_features", unknown)
    plain = kernel.__wrapped__()
    tables = tables_of(read_forest(ranker.booster.model_to_string()))
    assert_same_bits(plain.scores(tables, BASE), ranker.score(BASE))


@pytest.mark.parametrize("processor", ["x86-64", "x86-64-v2", "haswell", "znver3", "skylake-avx512"])
def test_the_kernel_can_be_compiled_for_other_processors(processor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled, not run: this machine may lack their instructions."""
    from llvmlite import binding

    if not binding.get_process_triple().startswith("x86_64"):
        pytest.skip("these are x86-64 processors")
    monkeypatch.setattr(binding, "get_host_cpu_name", lambda: processor)
    monkeypatch.setattr(binding, "get_host_cpu_features", binding.FeatureMap)
    assert kernel.__wrapped__().engine.get_function_address("score")
