from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from tests.shapes.__main__ import SHAPES, judged, main, oracle_scores, truth_file, write_shape
from tests.shapes.conftest import Written
from tests.shapes.truth import load_truth

Shape = Callable[[str], Written]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", SHAPES)
def test_a_seed_gives_the_same_files_and_another_one_gives_others(name: str, tmp_path: Path) -> None:
    size = import_module(f"tests.shapes.{name}").SMALL // 3
    truths = [write_shape(name, tmp_path / at, seed=seed, size=size) for at, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")
    scores = [oracle_scores(truth, next(iter(truth.slates.values()))) for truth in truths]
    assert (scores[0] == scores[1]).all()


@pytest.mark.parametrize("name", SHAPES)
def test_the_oracle_beats_popularity_the_order_in_the_files_and_random(name: str, shape: Shape) -> None:
    for slates in shape(name).truth.slates.values():
        ndcg = judged(shape(name).truth, slates)
        assert ndcg["oracle"] > max(value for ranker, value in ndcg.items() if ranker != "oracle") + 0.03, ndcg


@pytest.mark.parametrize("name", SHAPES)
def test_without_a_relation_between_labels_and_items_the_oracle_is_no_better_than_random(
    name: str, shape: Shape
) -> None:
    truth = shape(name).truth
    slates = next(iter(truth.slates.values()))
    mixed = np.lexsort((np.random.default_rng(5).random(len(slates.slate)), slates.slate))
    ndcg = judged(truth, replace(slates, label=slates.label[mixed]))
    assert ndcg["oracle"] == pytest.approx(ndcg["random"], abs=0.12), ndcg


@pytest.mark.parametrize("name", SHAPES)
def test_the_truth_lies_beside_the_files_and_tells_the_same(name: str, shape: Shape) -> None:
    written = shape(name)
    assert not list(written.folder.glob("*truth*"))
    loaded = load_truth(truth_file(written.folder))
    assert loaded.slates.keys() == written.truth.slates.keys()
    for kind, slates in written.truth.slates.items():
        assert (oracle_scores(loaded, loaded.slates[kind]) == oracle_scores(written.truth, slates)).all()


@pytest.mark.parametrize("name", SHAPES)
def test_all_lists_of_a_shape_are_of_its_items_and_most_of_known_users(name: str, shape: Shape) -> None:
    truth = shape(name).truth
    known = set(truth.who.tolist())
    for slates in truth.slates.values():
        looks = zip(slates.user.tolist(), slates.session.tolist(), slates.us.tolist(), strict=True)
        found = [bool({f"u:{user}", f"s:{session}", f"t:{us}"} & known) for user, session, us in looks]
        assert np.mean(found) > 0.99
        assert set(slates.item.tolist()) <= set(truth.items.tolist())


def test_the_command_writes_the_files_and_prints_what_the_oracle_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["priced_lists", "--out", str(tmp_path / "x"), "--size", "200", "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^train.csv: \d+ KB$", printed, re.M)
    assert re.search(
        r"NDCG@10 oracle 0\.\d{4}, popularity 0\.\d{4}, order in the files 0\.\d{4}, random 0\.\d{4}", printed
    )
    assert (tmp_path / "x.truth.npz").exists()
