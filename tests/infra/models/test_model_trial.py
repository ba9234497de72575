"""Files that are consistent in their hash and wrong inside are refused by a child process; this one survives."""

import hashlib
import json
import re
import shutil

import pytest

from infra.models.model_trial import RefusedModel, try_ranker
from infra.models.ranker import MODEL_CARD, MODEL_FILE, VOCABULARY_FILE, BaselineRanker
from tests.infra.small_models import ranker_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("ranker")
    ranker_of(rounds=3).save(made)
    return made


@pytest.fixture
def edited(folder, tmp_path):
    def edit(pattern: str, replacement: str):
        """A copy of the model with its text edited and its digest made consistent again."""
        text = (folder / MODEL_FILE).read_text()
        changed = re.sub(pattern, replacement, text)
        assert changed != text
        (tmp_path / MODEL_FILE).write_text(changed)
        card = json.loads((folder / MODEL_CARD).read_text())
        card["sha256"] = hashlib.sha256(changed.encode()).hexdigest()
        (tmp_path / MODEL_CARD).write_text(json.dumps(card))
        shutil.copy(folder / VOCABULARY_FILE, tmp_path)
        return tmp_path

    return edit


def test_a_sound_model_passes(folder):
    try_ranker(folder)
    assert (folder / MODEL_FILE).exists()


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (r"tree_sizes=\d+", "tree_sizes=99999", "was ended by SIG"),
        (r"leaf_weight=.*\n", "", "was ended by SIG"),
        (r"num_class=1", "num_class=7", "no finite score for each row"),
        (r"split_feature=\d+", "split_feature=9", "it splits feature 9, but the model has 4 features"),
    ],
    ids=["tree_sizes", "leaf_weight", "num_class", "split_feature"],
)
def test_a_damaged_model_is_refused_and_this_process_lives(edited, pattern, replacement, message):
    with pytest.raises(RefusedModel, match=message):
        try_ranker(edited(pattern, replacement))


def test_the_same_files_are_tried_once(edited, monkeypatch):
    damaged = edited(r"tree_sizes=\d+", "tree_sizes=77777")
    with pytest.raises(RefusedModel):
        try_ranker(damaged)

    def fail(*_, **__):
        raise AssertionError("a second child")

    monkeypatch.setattr("infra.models.model_trial.subprocess.run", fail)
    with pytest.raises(RefusedModel, match="was ended by SIG"):
        try_ranker(damaged)


def test_a_vocabulary_that_is_there_again_is_tried_again(folder, tmp_path):
    ranker_of(rounds=4).save(tmp_path)
    (tmp_path / VOCABULARY_FILE).rename(tmp_path / "away")
    with pytest.raises(RefusedModel, match=VOCABULARY_FILE):
        try_ranker(tmp_path)
    (tmp_path / "away").rename(tmp_path / VOCABULARY_FILE)
    try_ranker(tmp_path)


def test_a_baseline_needs_no_child(tmp_path, monkeypatch):
    BaselineRanker("by_price", (("price", 1),), ("price",)).save(tmp_path)
    monkeypatch.setattr("infra.models.model_trial.subprocess.run", lambda *_, **__: pytest.fail("a child"))
    try_ranker(tmp_path)
    assert list(tmp_path.iterdir())
