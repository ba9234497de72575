"""Compiled trees: accepted where they equal LightGBM, else LightGBM with the reason."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.models.arrays import Floats
from infra.models.ranker import BaselineRanker, LightGbmRanker, load_ranker
from infra.models.trees import compiled_trees
from infra.models.trees.compiled_trees import CompiledRanker, Engine, compiled, own_engine
from infra.models.trees.kernel import kernel
from infra.models.trees.score_parity import ScoredRows, sample
from infra.models.trees.tables import tables_of
from tests.infra.small_models import categorical_ranker, ranker_of, rows_of

BASE = rows_of(np.random.default_rng(9), 300, 4)


@pytest.fixture(scope="module")
def ranker() -> LightGbmRanker:
    return ranker_of()


@pytest.fixture(scope="module")
def rows(ranker: LightGbmRanker) -> ScoredRows:
    return sample(ranker, BASE)


@pytest.fixture(scope="module")
def fast(ranker: LightGbmRanker, rows: ScoredRows) -> CompiledRanker:
    found, engine = compiled(ranker, rows)
    assert isinstance(found, CompiledRanker), engine
    return found


@pytest.fixture
def no_kernel_yet() -> Iterator[None]:
    kernel.cache_clear()
    yield
    kernel.cache_clear()


# ---------------------------------------------------------------------------- a compiled ranker


def test_a_compiled_ranker_scores_explains_and_saves_as_its_original_does(
    fast: CompiledRanker, ranker: LightGbmRanker, tmp_path: Path
) -> None:
    assert (fast.kind, fast.feature_names) == ("lightgbm", ranker.feature_names)
    np.testing.assert_array_equal(fast.score(BASE), ranker.score(BASE))
    np.testing.assert_array_equal(fast.contributions(BASE), ranker.contributions(BASE))
    fast.save(tmp_path)
    np.testing.assert_array_equal(load_ranker(tmp_path).score(BASE), ranker.score(BASE))


def test_a_matrix_of_another_width_or_precision_is_treated_as_lightgbm_treats_it(
    fast: CompiledRanker, ranker: LightGbmRanker
) -> None:
    with pytest.raises(ValueError, match=r"\(300, 3\), but the ranker reads 4 features"):
        fast.score(BASE[:, :3])
    double: Any = np.random.default_rng(0).normal(size=(50, 4))
    np.testing.assert_array_equal(fast.score(double), ranker.score(double))


# ----------------------------------------------------------------------- accepted, or refused


def test_trees_that_score_as_lightgbm_does_are_accepted(ranker: LightGbmRanker, rows: ScoredRows) -> None:
    found, engine = compiled(ranker, rows)
    assert isinstance(found, CompiledRanker)
    assert engine == Engine("llvm", "equal to LightGBM on the model's test rows")


def test_a_model_with_categorical_splits_is_accepted() -> None:
    ranker = categorical_ranker()
    base = np.random.default_rng(0).integers(-1, 9, (200, 2)).astype(np.float32)
    found, engine = compiled(ranker, sample(ranker, base))
    assert engine.name == "llvm"
    np.testing.assert_array_equal(found.score(base), ranker.score(base))


@pytest.mark.parametrize("table", ["splits", "leaves"])
def test_wrong_tables_are_refused_and_lightgbm_scores(
    ranker: LightGbmRanker, rows: ScoredRows, table: str, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def wrong(forest: Any) -> Any:
        tables = tables_of(forest)
        if table == "splits":
            tables.splits["left"] = tables.splits["right"]
        else:
            tables.leaves[3] = np.nextafter(tables.leaves[3], np.inf)
        return tables

    monkeypatch.setattr(compiled_trees, "tables_of", wrong)
    found, engine = compiled(ranker, rows)
    assert found is ranker
    assert engine.name == "lightgbm"
    assert "the compiled trees differ from LightGBM on the model's test rows" in engine.reason
    assert engine.reason in caplog.text


def test_without_equal_scores_from_lightgbm_itself_the_trees_are_not_accepted(
    ranker: LightGbmRanker, rows: ScoredRows
) -> None:
    changed = ScoredRows(rows.matrix, np.nextafter(rows.scores, np.inf))
    assert compiled(ranker, changed) == (
        ranker,
        Engine(
            "lightgbm", "LightGBM itself does not score the model's test rows as it did when the model was registered"
        ),
    )


def test_a_model_without_its_own_test_rows_is_not_compiled(ranker: LightGbmRanker) -> None:
    others: Floats = BASE[:, :3]
    for rows in (None, ScoredRows(others, np.zeros(len(others)))):
        found, engine = compiled(ranker, rows)
        assert found is ranker
        assert (engine.name, "without test rows" in engine.reason) == ("lightgbm", True)


def test_a_model_that_the_kernel_cannot_represent_is_scored_by_lightgbm() -> None:
    linear = ranker_of(objective="regression", linear_tree=True)
    assert compiled(linear, sample(linear, BASE)) == (linear, Engine("lightgbm", "the model has linear leaves"))


@pytest.mark.usefixtures("no_kernel_yet")
def test_without_llvmlite_lightgbm_scores_and_the_extra_is_named(
    ranker: LightGbmRanker, rows: ScoredRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    found, engine = compiled(ranker, rows)
    assert found is ranker
    assert engine.name == "lightgbm"
    assert engine.reason.endswith("install the extra `fast`")


def test_after_a_failed_compilation_lightgbm_scores_and_the_error_is_the_reason(
    ranker: LightGbmRanker, rows: ScoredRows, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def failing() -> Any:
        raise RuntimeError("LLVM IR parsing error")

    monkeypatch.setattr(compiled_trees, "kernel", failing)
    assert compiled(ranker, rows) == (ranker, Engine("lightgbm", "RuntimeError: LLVM IR parsing error"))
    assert "the trees are not compiled, so LightGBM scores: RuntimeError" in caplog.text


def test_a_baseline_is_returned_unchanged(caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    baseline = BaselineRanker("popular", (("a", 1),), ("a", "b"))
    assert compiled(baseline, None) == (baseline, Engine("baseline", "a baseline has no trees"))
    assert not caplog.records


def test_a_ranker_that_was_not_compiled_scores_by_lightgbm(ranker: LightGbmRanker) -> None:
    assert own_engine(ranker) == Engine("lightgbm", "the trees were not compiled")
