"""The files of an ablation whose figures were written by hand."""

from __future__ import annotations

import json

import pytest

from training.ablation.experiment import FEATURES, SEQUENCE, Ablation, Arm, Experiment, Row
from training.ablation.results import COSTS, EARNS, UNCLEAR, body, markdown, verdict, write
from training.evaluation.bootstrap import Interval
from training.ranker.lambdamart import ndcg_at_10

FULL = Interval(0.25, 0.2, 0.3, 1200)


def nothing():
    raise NotImplementedError


ARMS = (Arm(FEATURES, "history", nothing), Arm(SEQUENCE, "next_item", nothing, added=True))
EXPERIMENT = Experiment("recommender", "recall@25", ndcg_at_10, {}, nothing, ARMS, None, 0.0)
ROWS = (
    Row(FEATURES, "history", 80, Interval(0.2, 0.15, 0.25, 1200), Interval(0.05, 0.01, 0.09, 1200)),
    Row(SEQUENCE, "next_item", 92, Interval(0.24, 0.19, 0.29, 1200), Interval(-0.01, -0.03, 0.01, 1200)),
)
FOUND = body(Ablation(30, 2, 700, 90, FULL, ROWS), EXPERIMENT, "tiny", "2024-03-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.01, 0.1, EARNS), (-0.1, -0.01, COSTS), (-0.1, 0.1, UNCLEAR), (0.0, 0.1, UNCLEAR), (-0.1, 0.0, UNCLEAR)],
)
def test_an_interval_that_touches_0_shows_no_difference(low, high, expected):
    assert verdict(Interval((low + high) / 2, low, high, 9)) == expected


def test_the_table_says_what_the_full_model_lacks_and_what_it_has():
    text = markdown(FOUND)
    assert "recall@25 of the full model 0.2500, 1,200 lists of 700 users, 90 features, 30 rounds, 2 seed(s)." in text
    assert f"| history | features | 0.2000 without it | +0.0500 [+0.0100, +0.0900] | {EARNS} |" in text
    assert f"| next_item | sequence | 0.2400 with it | -0.0100 [-0.0300, +0.0100] | {UNCLEAR} |" in text


def test_both_files_are_written_and_the_json_says_what_it_was_judged_on(tmp_path):
    path = write(tmp_path / "ablation", FOUND)
    assert json.loads(path.read_text()) == FOUND
    assert (FOUND["judged_on"], FOUND["known_at"]) == ("validation", "2024-03-01T00:00:00+00:00")
    assert path.with_suffix(".md").read_text() == markdown(FOUND)
