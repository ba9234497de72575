"""Compiled trees: equal to LightGBM bit for bit, refused where they are not, kept for the next start."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.models.ranker import BaselineRanker, Floats, LightGbmRanker, load_ranker
from infra.models.trees import compilation, compiled_trees
from infra.models.trees.compilation import NotCompiled, accepted_code
from infra.models.trees.compiled_trees import CompiledRanker, Engine, compiled
from infra.models.trees.forest import Forest, read_forest
from infra.models.trees.native_forest import NativeForest
from infra.models.trees.score_parity import MAX_ROWS, TEST_ROWS_FILE, ScoredRows, on_test_rows, sample
from infra.models.trees.tree_code import object_code
from tests.infra.small_models import hard_rows, ranker_of, rows_of

LARGEST = float(np.finfo(np.float32).max)
BASE = rows_of(np.random.default_rng(9), 300, 4)


@pytest.fixture(scope="module")
def ranker() -> LightGbmRanker:
    return ranker_of()


@pytest.fixture(scope="module")
def rows(ranker: LightGbmRanker) -> ScoredRows:
    return sample(ranker, BASE)


@pytest.fixture(scope="module")
def fast(ranker: LightGbmRanker) -> CompiledRanker:
    return CompiledRanker(ranker, native(ranker))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compile here, for speed; the list grows by one for each time."""
    calls: list[str] = []

    def compile_here(ranker: LightGbmRanker, rows: ScoredRows, stop: threading.Event) -> bytes:
        calls.append("compiled")
        return accepted_code(ranker, rows)

    monkeypatch.setattr(compiled_trees, "code_from_child", compile_here)
    return calls


def forest_of(ranker: LightGbmRanker) -> Forest:
    return read_forest(ranker.booster.model_to_string())


def native(ranker: LightGbmRanker) -> NativeForest:
    return NativeForest(forest_of(ranker), object_code(forest_of(ranker)))


# ------------------------------------------------------------------------------- equal scores


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
def test_any_small_model_scores_as_lightgbm_does_bit_for_bit(
    seed: int, rounds: int, features: int, levels: int, leaves: int, missing: dict[str, Any], objective: str
) -> None:
    ranker = ranker_of(seed, rounds, features, levels, num_leaves=leaves, objective=objective, **missing)
    matrix = hard_rows(ranker, rows_of(np.random.default_rng(seed + 1), 100, features, levels))
    np.testing.assert_array_equal(native(ranker).score(matrix), ranker.score(matrix))


def test_the_kinds_of_missing_values_are_all_met() -> None:
    kinds = set()
    for parameters in ({}, {"zero_as_missing": True}, {"use_missing": False}):
        ranker = ranker_of(levels=5, **parameters)
        kinds |= {kind for tree in forest_of(ranker).trees for kind in tree.missing.tolist()}
        matrix = hard_rows(ranker, rows_of(np.random.default_rng(3), 200, 4, 5))
        np.testing.assert_array_equal(native(ranker).score(matrix), ranker.score(matrix))
    assert kinds == {0, 1, 2}


def test_rows_that_tie_for_lightgbm_tie_here_and_keep_their_order() -> None:
    ranker = ranker_of(levels=3, rounds=20)
    matrix = rows_of(np.random.default_rng(4), 500, 4, 3)
    expected, got = ranker.score(matrix), native(ranker).score(matrix)
    assert len(np.unique(expected)) < 200 < len(expected)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.argsort(-got, kind="stable"), np.argsort(-expected, kind="stable"))


@pytest.mark.parametrize("rows", [0, 1, 15, 16, 17, 100, 500])
def test_a_matrix_may_lie_in_memory_row_by_row_or_column_by_column(ranker: LightGbmRanker, rows: int) -> None:
    by_row = np.ascontiguousarray(np.resize(BASE, (rows, BASE.shape[1])))
    forms = {
        "row by row": by_row,
        "column by column": np.asfortranarray(by_row),
        "a part of more rows": np.asfortranarray(np.vstack([by_row, by_row]))[rows:],
        "every other row": np.repeat(by_row, 2, axis=0)[::2],
    }
    expected = ranker.score(by_row) if rows else np.empty(0)
    for form, matrix in forms.items():
        np.testing.assert_array_equal(native(ranker).score(matrix), expected, err_msg=form)


def test_code_that_is_wrong_for_one_form_of_a_matrix_is_refused(ranker: LightGbmRanker, rows: ScoredRows) -> None:
    assert not on_test_rows(ranker.score, ranker, rows)
    for is_right in (lambda m: m.flags.c_contiguous, lambda m: m.flags.f_contiguous):
        found = on_test_rows(lambda m, right=is_right: ranker.score(m) + (not right(m)), ranker, rows)
        assert "differ from LightGBM" in found


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
    got = native(ranker).score(rows)
    assert got.tolist() == [0.1 + 0.2 + 0.3, 0.3 + 0.2 + 0.1] == ranker.score(rows).tolist()
    assert got[0] > got[1]


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 32, 300])
def test_slates_of_any_length_and_layout_are_scored(fast: CompiledRanker, ranker: LightGbmRanker, count: int) -> None:
    expected = ranker.score(BASE[:count])
    got = fast.score(BASE[:count])
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(fast.score(np.asfortranarray(BASE)[:count]), expected)
    np.testing.assert_array_equal(fast.score(np.repeat(BASE[:count], 2, axis=0)[::2]), expected)


def test_a_matrix_of_another_width_or_precision_is_treated_as_lightgbm_treats_it(
    fast: CompiledRanker, ranker: LightGbmRanker
) -> None:
    with pytest.raises(ValueError, match=r"\(300, 3\), but the ranker reads 4 features"):
        fast.score(BASE[:, :3])
    double: Any = np.random.default_rng(0).normal(size=(50, 4))
    np.testing.assert_array_equal(fast.score(double), ranker.score(double))


def test_a_tree_that_is_one_leaf_and_a_chain_of_splits_are_scored() -> None:
    constant = ranker_of(rounds=2, min_data_in_leaf=300)
    assert [len(tree.leaves) for tree in forest_of(constant).trees] == [1] * constant.booster.num_trees()
    np.testing.assert_array_equal(native(constant).score(BASE), constant.score(BASE))
    chain = ranker_of(rounds=2, features=1, num_leaves=120, min_data_in_leaf=1, min_sum_hessian_in_leaf=0.0)
    matrix = hard_rows(chain, BASE[:, :1])
    np.testing.assert_array_equal(native(chain).score(matrix), chain.score(matrix))


def test_many_threads_at_once_get_the_scores_of_one(fast: CompiledRanker, ranker: LightGbmRanker) -> None:
    slates = [rows_of(np.random.default_rng(seed), 1 + seed * 7, 4) for seed in range(24)]
    expected = [ranker.score(slate) for slate in slates]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            for got, wanted in zip(pool.map(fast.score, slates), expected, strict=True):
                np.testing.assert_array_equal(got, wanted)


def test_a_compiled_ranker_saves_the_lightgbm_model(
    fast: CompiledRanker, ranker: LightGbmRanker, tmp_path: Path
) -> None:
    fast.save(tmp_path)
    np.testing.assert_array_equal(load_ranker(tmp_path).score(BASE), ranker.score(BASE))


# ---------------------------------------------------------------------------------- test rows


def test_the_sample_holds_unknown_values_thresholds_and_lightgbms_scores(ranker: LightGbmRanker) -> None:
    big = np.random.default_rng(2).normal(size=(9_000, 4)).astype(np.float32)
    rows = sample(ranker, big)
    assert rows.matrix.shape == (MAX_ROWS, 4)
    assert np.isnan(rows.matrix).any()
    thresholds = {  # an infinite one is moved to the largest float32
        (int(feature), np.float32(np.clip(threshold, -LARGEST, LARGEST)))
        for tree in forest_of(ranker).trees
        for feature, threshold in zip(tree.feature, tree.threshold, strict=True)
    }
    on_threshold = [any((j, value) in thresholds for j, value in enumerate(row)) for row in rows.matrix]
    assert sum(on_threshold) >= MAX_ROWS // 2
    np.testing.assert_array_equal(rows.scores, ranker.score(rows.matrix))
    np.testing.assert_array_equal(rows.matrix, sample(ranker, big).matrix)


def test_test_rows_come_back_from_disk_and_damaged_ones_do_not(rows: ScoredRows, tmp_path: Path) -> None:
    assert ScoredRows.load(tmp_path) is None
    rows.save(tmp_path)
    found = ScoredRows.load(tmp_path)
    assert found is not None
    np.testing.assert_array_equal(found.matrix, rows.matrix)
    np.testing.assert_array_equal(found.scores, rows.scores)
    path = tmp_path / TEST_ROWS_FILE
    for content in (b"", b"PK\x03\x04", path.read_bytes()[:200]):
        path.write_bytes(content)
        assert ScoredRows.load(tmp_path) is None
    np.savez(path, matrix=rows.matrix.astype(np.float64), scores=rows.scores)
    assert ScoredRows.load(tmp_path) is None
    np.savez(path, matrix=np.array([{}], dtype=object), scores=rows.scores)
    assert ScoredRows.load(tmp_path) is None


# ----------------------------------------------------------------------- accepted, or refused


def test_a_model_is_compiled_in_another_process_and_kept(
    ranker: LightGbmRanker, rows: ScoredRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, engine = compiled(ranker, rows, tmp_path / "c")
    assert (first.kind, first.feature_names, engine.name) == ("lightgbm", ranker.feature_names, "llvm")
    monkeypatch.setattr(compiled_trees, "code_from_child", lambda *_: pytest.fail("compiled a second time"))
    second, engine = compiled(ranker, rows, tmp_path / "c")
    assert engine.name == "llvm"
    for each in (first, second):
        assert isinstance(each, CompiledRanker)
        np.testing.assert_array_equal(each.score(BASE), ranker.score(BASE))


def test_another_model_is_not_given_the_kept_code(
    ranker: LightGbmRanker, rows: ScoredRows, tmp_path: Path, in_this_process: list[str]
) -> None:
    compiled(ranker, rows, tmp_path / "c")
    other = ranker_of(seed=1)
    found, engine = compiled(other, sample(other, BASE), tmp_path / "c")
    assert engine.name == "llvm"
    np.testing.assert_array_equal(found.score(BASE), other.score(BASE))
    assert len(in_this_process) == len(list((tmp_path / "c").glob("[!.]*"))) == 2


def test_damaged_kept_code_is_compiled_anew(
    ranker: LightGbmRanker, rows: ScoredRows, tmp_path: Path, in_this_process: list[str]
) -> None:
    compiled(ranker, rows, tmp_path / "c")
    (path,) = (tmp_path / "c").glob("[!.]*")
    content = path.read_bytes()
    path.write_bytes(content[:-100] + b"\0" * 100)
    assert compiled(ranker, rows, tmp_path / "c")[1].name == "llvm"
    assert len(in_this_process) == 2
    assert path.read_bytes() == content


def with_nan_on_the_other_side(forest: Forest) -> Forest:
    return replace(forest, trees=tuple(replace(tree, decision=tree.decision ^ 2) for tree in forest.trees))


def test_kept_code_that_scores_otherwise_is_compiled_anew(
    ranker: LightGbmRanker, rows: ScoredRows, tmp_path: Path, in_this_process: list[str], caplog: Any
) -> None:
    compiled(ranker, rows, tmp_path / "c")
    (path,) = (tmp_path / "c").glob("[!.]*")
    planted = object_code(with_nan_on_the_other_side(forest_of(ranker)))
    compiled_trees.CodeCache(tmp_path / "c").write(path.name, planted)
    found, engine = compiled(ranker, rows, tmp_path / "c")
    assert engine.name == "llvm"
    assert "the kept code is not used: the compiled trees differ" in caplog.text
    np.testing.assert_array_equal(found.score(BASE), ranker.score(BASE))
    assert len(in_this_process) == 2


def test_wrong_code_is_refused_and_lightgbm_scores(
    ranker: LightGbmRanker, rows: ScoredRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    planted = object_code(with_nan_on_the_other_side(forest_of(ranker)))
    monkeypatch.setattr(compiled_trees, "code_from_child", lambda *_: planted)
    found, engine = compiled(ranker, rows, tmp_path / "c")
    assert found is ranker
    assert engine.name == "lightgbm"
    assert "differ from LightGBM on the model's test rows" in engine.reason
    assert engine.reason in caplog.text
    assert not list((tmp_path / "c").glob("[!.]*"))


def test_code_that_is_wrong_on_one_threshold_only_is_refused(
    ranker: LightGbmRanker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is one float too high: no ordinary row notices."""
    forest = forest_of(ranker)
    tree = forest.trees[5]
    nudged = tree.bound.copy()
    nudged[2] = np.nextafter(nudged[2], np.float32(np.inf))
    wrong = replace(tree)
    wrong.__dict__["bound"] = nudged
    few = ScoredRows(BASE, ranker.score(BASE))
    whole = replace(forest, trees=(*forest.trees[:5], wrong, *forest.trees[6:]))

    class Nudged(NativeForest):
        def __init__(self, _: Forest, code: bytes) -> None:
            super().__init__(whole, code)

    monkeypatch.setattr(compilation, "NativeForest", Nudged)
    with pytest.raises(NotCompiled, match=r"around the thresholds of tree 5: .* of .* scores"):
        accepted_code(ranker, few)


def test_the_child_says_why_it_refuses(ranker: LightGbmRanker, rows: ScoredRows, tmp_path: Path) -> None:
    wrong = ScoredRows(rows.matrix, np.nextafter(rows.scores, np.inf))
    found, engine = compiled(ranker, wrong, tmp_path / "c")
    assert found is ranker
    assert engine == Engine(
        "lightgbm", "LightGBM itself does not score the model's test rows as it did when the model was registered"
    )


def test_without_test_rows_of_its_own_a_model_is_not_compiled(ranker: LightGbmRanker, tmp_path: Path) -> None:
    others: Floats = BASE[:, :3]
    for rows in (None, ScoredRows(others, np.zeros(len(others)))):
        found, engine = compiled(ranker, rows, tmp_path / "c")
        assert found is ranker
        assert (engine.name, "no test rows" in engine.reason) == ("lightgbm", True)


def test_a_model_that_is_not_translated_is_scored_by_lightgbm(tmp_path: Path) -> None:
    linear = ranker_of(objective="regression", linear_tree=True)
    found, engine = compiled(linear, sample(linear, BASE), tmp_path / "c")
    assert found is linear
    assert engine == Engine("lightgbm", "the model has linear leaves")


def test_without_llvmlite_lightgbm_scores_and_the_extra_is_named(
    ranker: LightGbmRanker, rows: ScoredRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    found, engine = compiled(ranker, rows, tmp_path / "c")
    assert found is ranker
    assert "install the extra `fast`" in engine.reason


def test_a_compiler_that_dies_leaves_lightgbm(
    ranker: LightGbmRanker, rows: ScoredRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert "failed with status 1" in compiled(ranker, rows, tmp_path / "c")[1].reason
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "FileNotFoundError" in compiled(ranker, rows, tmp_path / "c")[1].reason


def test_compiling_ends_when_it_is_told_to(
    ranker: LightGbmRanker, rows: ScoredRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    real = subprocess.Popen

    def sleeping(_: list[str], **rest: Any) -> Any:
        started.append(real(["sleep", "60"], **rest))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", sleeping)
    stop = threading.Event()
    stop.set()
    found, engine = compiled(ranker, rows, tmp_path / "c", stop)
    assert found is ranker
    assert "stopped" in engine.reason
    assert started[0].poll() is not None


def test_a_folder_that_cannot_be_written_only_costs_the_next_start(
    ranker: LightGbmRanker, rows: ScoredRows, tmp_path: Path, in_this_process: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    for _ in range(2):
        assert compiled(ranker, rows, tmp_path / "file" / "c")[1].name == "llvm"
    assert len(in_this_process) == 2


def test_a_baseline_is_left_as_it_is(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    baseline = BaselineRanker("popular", (("a", 1),), ("a", "b"))
    assert compiled(baseline, None, tmp_path / "c") == (baseline, Engine("baseline", "a baseline has no trees"))
    assert not caplog.records
