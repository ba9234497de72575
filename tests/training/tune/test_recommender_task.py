"""The recommender's tuning on a small shop, beside training sets that were built with fewer candidates."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from infra.settings import PROJECT_ROOT
from tests.small_log import at, event
from tests.training.buyers.small_shop import DAYS, small_shop
from training.stage_two.training_set import write_training_set
from training.training_set.ranking_data import RankingData, load_splits
from training.tune.command import main
from training.tune.narrowed import Narrowed, narrowed
from training.tune.recommender_task import recall_of_all, recommender_task
from training.tune.space import with_values
from training.tune.wide_set import TUNED_SPLITS, ready_set, widened

ALL = yaml.safe_load((PROJECT_ROOT / "params.yaml").read_text())["recommend"]["sources"]
SOURCES = ("own_history", "trending")
PARAMS: dict[str, Any] = {
    "candidates": 20,
    "sources": {name: {**ALL[name], "candidates": 12} for name in SOURCES},
    "windows": {"days": 3, "every_days": 3, "train": 2, "validation": 1, "test": 2, "fit_every": 2},
    "lists": {"users": 100, "sessions": 5, "negatives": 0.5},
    "train": {
        "seed": 7,
        "rounds": 30,
        "early_stopping_rounds": 20,
        "bootstrap_resamples": 200,
        "weights": "per_list",
        "lightgbm": {"objective": "binary", "num_leaves": 7, "min_data_in_leaf": 20, "learning_rate": 0.1},
    },
}
TEST_START = at(DAYS - 6)
MARKED = ("only-in-test", "late-user")
SMALL = {"own_history": 5, "trending": 3}
LIMIT = 7


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """With an item and a user that occur in the test windows only."""
    item_id, user_id = MARKED
    marks = [event(9000 + i, at(DAYS - 5, i), "order", item_id, user_id=user_id, session_id="m") for i in range(3)]
    return small_shop(tmp_path_factory.mktemp("tune"), marks)


@pytest.fixture(scope="module")
def task(shop):
    return recommender_task(shop, PARAMS, at(DAYS))


@pytest.fixture(scope="module")
def wide(shop, task):
    return ready_set(shop, widened(PARAMS, 1.5), at(DAYS), shop.training_dir / "tune" / "half_life_180")


def by_position(data: RankingData) -> RankingData:
    """The rows of each list in the order of the union."""
    group = np.repeat(np.arange(len(data.sizes)), data.sizes)
    order = np.lexsort((data.column("input_position"), group))
    return replace(data, matrix=data.matrix[order], labels=data.labels[order])


def nothing_is_pruned(rounds: int, value: float) -> None:
    assert rounds > 0
    assert 0 <= value <= 1


def test_fewer_candidates_of_the_wide_set_are_those_of_smaller_sources(shop, wide, tmp_path):
    small = with_values(PARAMS, {f"sources.{name}.candidates": size for name, size in SMALL.items()})
    write_training_set(shop, {**small, "candidates": LIMIT}, at(DAYS), tmp_path, test=False)
    built = load_splits(tmp_path / "training_set.parquet", wide.features, TUNED_SPLITS)["validation"]
    found = by_position(narrowed(wide.read()["validation"], SOURCES, SMALL, LIMIT).data)
    assert found.sizes.tolist() == built.sizes.tolist()
    assert found.relevant_total.tolist() == built.relevant_total.tolist()
    assert found.labels.tolist() == built.labels.tolist()
    np.testing.assert_allclose(found.matrix, built.matrix, rtol=1e-5)
    assert max(built.sizes) == LIMIT


def test_the_estimated_positions_of_the_training_windows_are_near_the_real_ones(shop, wide, tmp_path):
    small = with_values(PARAMS, {f"sources.{name}.candidates": size for name, size in SMALL.items()})
    write_training_set(shop, {**small, "lists": {**PARAMS["lists"], "negatives": 1.0}}, at(DAYS), tmp_path, test=False)
    built = load_splits(tmp_path / "training_set.parquet", wide.features, TUNED_SPLITS)["train"]
    found = narrowed(wide.read()["train"], SOURCES, SMALL, LIMIT, positive_only=True).data
    assert found.column("slate_size").mean() == pytest.approx(built.column("slate_size").mean(), abs=1)
    assert found.column("input_position").max() <= LIMIT - 1
    of_it = [each.column("input_position")[each.labels > 0].mean() for each in (found, built)]
    assert of_it[0] == pytest.approx(of_it[1], abs=0.7)
    positives = np.add.reduceat(found.labels, found.starts)
    assert positives.min() > 0


def test_lists_that_lose_their_candidates_count_as_missed():
    names = ("a_score", "a_rank", "input_position", "slate_size", "price_vs_slate")
    ranks = np.array([0, 1, 2, 0, 1, np.nan, np.nan], np.float32)  # the third list is of another source
    matrix = np.column_stack([ranks, ranks, np.zeros(7), [3, 3, 3, 2, 2, 2, 2], np.ones(7)]).astype(np.float32)
    data = RankingData(matrix, np.array([0, 1, 0, 1, 0, 1, 0]), np.array([3, 2, 2]), np.array([1, 2, 1]), names)
    two = narrowed(data, ("a",), {"a": 2}, 10)
    assert two.data.sizes.tolist() == [2, 2]
    assert two.lists.tolist() == [True, True, False]
    assert recall_of_all(two, judged=0.75) == pytest.approx((1 + 0.5 + 0) / 3)
    one = narrowed(data, ("a",), {"a": 1}, 10)  # of the first list a miss is left, of the second one of two
    assert recall_of_all(Narrowed(one.data, one.lists), judged=0.0) == pytest.approx((0 + 0.5 + 0) / 3)


def test_nothing_of_the_test_windows_is_in_the_set(shop, task, wide):
    rows = pq.read_table(wide.folder / "training_set.parquet")
    assert set(rows["split"].to_pylist()) == {"train", "validation"}
    assert max(rows["event_timestamp"].to_pylist()) < TEST_START
    assert not set(MARKED) & {*rows["item_id"].to_pylist(), *rows["user_id"].to_pylist()}
    logged = pq.read_table(shop.log_dir / "events.parquet")
    assert set(MARKED) <= {*logged["item_id"].to_pylist(), *logged["user_id"].to_pylist()}


def test_the_present_parameters_are_a_trial_and_it_can_be_repeated(task):
    values = {"candidates": 20, **{f"sources.{name}.candidates": 12 for name in SOURCES}}
    found = task.space.present()
    assert found.items() >= values.items()
    first = task.measure(values, nothing_is_pruned)
    assert 0 < first <= 1
    assert task.measure(values, nothing_is_pruned) == first
    assert task.measure({**values, "sources.own_history.candidates": 0}, nothing_is_pruned) != first


def test_a_set_is_built_again_only_when_what_it_is_made_of_changed(shop, task, wide):
    folder = shop.training_dir / "tune" / "half_life_180"
    built = (folder / "training_set.parquet").stat().st_mtime_ns
    again = recommender_task(shop, with_values(PARAMS, {"train.lightgbm.num_leaves": 9}), at(DAYS))
    assert (folder / "training_set.parquet").stat().st_mtime_ns == built
    assert again.study_name == task.study_name  # another first trial of the same study
    card = json.loads((folder / "wide_set.json").read_text())
    (folder / "wide_set.json").write_text(json.dumps({**card, "key": "other"}))
    other = recommender_task(shop, with_values(PARAMS, {"train.rounds": 31}), at(DAYS))
    assert (folder / "training_set.parquet").stat().st_mtime_ns != built
    assert other.study_name != task.study_name


def test_sizes_that_leave_nothing_to_rank_find_nothing(task):
    assert task.measure({f"sources.{name}.candidates": 0 for name in SOURCES}, nothing_is_pruned) == 0


def test_each_half_life_has_a_set_of_its_own(shop, wide):
    found = recommender_task(shop, PARAMS, at(DAYS), half_lives=True)
    names = {path.name for path in (shop.training_dir / "tune").iterdir()}
    assert names >= {"half_life_14", "half_life_60", "half_life_180"}
    values = {"sources.own_history.half_life_days": 14}
    assert found.space.present()["sources.own_history.half_life_days"] == 180
    assert 0 < found.measure(values, nothing_is_pruned) <= 1
    scores = [pq.read_table(shop.training_dir / "tune" / name / "training_set.parquet")["own_history_score"].to_numpy()
              for name in ("half_life_14", "half_life_180")]  # fmt: skip
    assert np.nanmean(scores[0]) < np.nanmean(scores[1])


def test_the_command_prints_the_best_and_writes_it_when_asked(shop, wide, state, tmp_path, monkeypatch, capsys):
    file = tmp_path / "params.yaml"
    file.write_text(f"# kept\n{yaml.safe_dump({'train': {'seed': 7}, 'recommend': PARAMS}, sort_keys=False)}# end\n")
    settings = shop.model_copy(update={"params_file": file, "state_dir": state})
    monkeypatch.setattr("training.tune.command.command_settings", lambda: settings)
    before, own = file.read_text(), tmp_path / "params" / "tiny.yaml"
    own.parent.mkdir()
    own.write_text("# kept\ntrain: {seed: 7}  # so\n")
    assert main(["recommender", "--trials", "3"]) == 0
    printed, log = capsys.readouterr()
    assert "| objective | best recall@25 | trial | trials | pruned |" in printed
    assert "params/tiny.yaml:\n\nrecommend:\n" in printed or "no trial is better" in printed
    assert log.count("\ntrial ") + log.startswith("trial ") == 3
    assert own.read_text() == "# kept\ntrain: {seed: 7}  # so\n"
    assert main(["recommender", "--trials", "3", "--write"]) == 0  # no further trial
    printed, log = capsys.readouterr()
    assert "trial " not in log
    assert file.read_text() == before
    after = own.read_text()
    assert after.startswith("# kept\ntrain: {seed: 7}  # so\n")
    if "unchanged" not in printed:
        assert yaml.safe_load(after)["recommend"]["train"]["lightgbm"]["num_leaves"] > 0
