"""The ranker's tuning reads the splits train and validation of its training set, and of the test split not a byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import optuna
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.declaration_json import DECLARATION_FILE, declaration_to_json
from infra.settings import Settings
from tests.small_log import DECLARATION
from tests.training.evaluation.test_ranker_evaluation import PARAMS
from training.training_set.ranking_data import BadTrainingSet, load_splits
from training.training_set.recipe import Recipe
from training.tune.ranker_task import ranker_task

NAMES = current_contract("tiny", DECLARATION).feature_names
SLATES, ITEMS = 60, 10
FILE = "training_set.parquet"


def split(name: str, seed: int) -> pa.Table:
    """Slates whose label depends on the first feature."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(SLATES * ITEMS, len(NAMES))).astype(np.float32)
    label = (matrix[:, 0] + 0.5 * random.normal(size=len(matrix)) > 1.0).astype(np.int32)
    slate = [f"{name}{i // ITEMS:03d}" for i in range(len(matrix))]
    return pa.table(
        {
            "slate_id": slate,
            "user_id": slate,
            "session_id": slate,
            "item_id": [f"i{i % ITEMS}" for i in range(len(matrix))],
            "event_timestamp": pa.array([0] * len(matrix), pa.timestamp("us", "UTC")),
            "label": label,
            "relevant_total": np.full(len(matrix), 5, np.int32),
            "split": [name] * len(matrix),
            **{name: matrix[:, j] for j, name in enumerate(NAMES)},
        }
    )


def unreadable_test_split(folder: Path) -> Settings:
    """A data set with a training set whose test split cannot be read."""
    settings = Settings(data_dir=folder, state_dir=folder / "var", dataset="tiny", threads=1)
    settings.log_dir.mkdir(parents=True)
    (settings.log_dir / DECLARATION_FILE).write_text(declaration_to_json(DECLARATION))
    settings.training_dir.mkdir(parents=True)
    path = settings.training_dir / FILE
    parts = [split(name, seed) for seed, name in enumerate(("train", "validation", "test"))]
    with pq.ParquetWriter(path, parts[0].schema) as out:
        for part in parts:
            out.write_table(part)
    test = pq.ParquetFile(path).metadata.row_group(2)
    first = test.column(0)
    begin = first.dictionary_page_offset or first.data_page_offset
    content = bytearray(path.read_bytes())
    content[begin : begin + test.total_byte_size // 2] = b"\xff" * (test.total_byte_size // 2)
    path.write_bytes(bytes(content))
    Recipe("tiny", "s", "f", "e", "2024-01-01", {}, 3 * SLATES, 3 * SLATES * ITEMS, "content").write(
        settings.training_dir / "recipe.json"
    )
    return settings


@pytest.fixture
def settings(tmp_path) -> Settings:
    return unreadable_test_split(tmp_path)


def test_the_test_split_is_not_read(settings):
    with pytest.raises(OSError, match=r".+"):
        load_splits(settings.training_dir / FILE, NAMES)
    task = ranker_task(settings, {"train": PARAMS})
    values = []
    found = task.measure({"lightgbm.learning_rate": 0.2}, lambda rounds, value: values.append((rounds, value)))
    assert found > 0.7
    assert [rounds for rounds, _ in values][:3] == [5, 10, 15]
    assert any(found == value for _, value in values)


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg", "binary"])
def test_each_objective_is_fitted(settings, objective):
    task = ranker_task(settings, {"train": PARAMS})
    assert task.objective == "lightgbm.objective"
    first = task.measure({"lightgbm.objective": objective}, lambda *_: None)
    assert first > 0.7
    assert task.measure({"lightgbm.objective": objective}, lambda *_: None) == first


def test_a_fit_that_is_behind_ends_at_once(settings):
    asked = []

    def watch(rounds: int, value: float) -> None:
        asked.append(rounds)
        raise optuna.TrialPruned

    with pytest.raises(optuna.TrialPruned):
        ranker_task(settings, {"train": PARAMS}).measure({}, watch)
    assert asked == [5]


def test_a_study_is_of_the_content_and_of_what_is_not_tuned(settings):
    def name(**changed):
        return ranker_task(settings, {"train": {**PARAMS, **changed}}).study_name

    assert name() == name(bootstrap_resamples=5) == name(lightgbm={**PARAMS["lightgbm"], "num_leaves": 9})
    assert len({name(), name(rounds=31), name(lightgbm={**PARAMS["lightgbm"], "max_bin": 63})}) == 3


def test_a_missing_recipe_is_an_error(settings):
    (settings.training_dir / "recipe.json").unlink()
    with pytest.raises(BadTrainingSet, match=r"recipe\.json is missing"):
        ranker_task(settings, {"train": PARAMS})
