"""The report has the numbers of the evaluation; undefined ones are null."""

import json

import numpy as np
import pytest

from training.gru4rec.evaluation import evaluation_report as report
from training.gru4rec.evaluation.next_item_metrics import Evaluation

EVALUATION = Evaluation("mine", np.array([1, 4, 30]), np.array([1, 1, 2]))


def test_an_entry_has_the_metrics_and_recall_by_position():
    found = report.model_report(EVALUATION, (1, 5), 1.234)
    assert found["recall@1"] == pytest.approx(1 / 3)
    assert found["mrr@5"] == pytest.approx((1 + 1 / 4) / 3)
    assert found["recall@20_by_position"] == [1.0, 0.0, *[None] * 8]
    assert found["seconds"] == 1.23


def test_the_table_sets_the_best_of_each_metric_in_bold():
    models = {"a": {"recall@1": 0.25, "mrr@1": 0.5}, "b": {"recall@1": 0.75, "mrr@1": None}}
    assert report.markdown_table(models, (1,)).splitlines() == [
        "| model | recall@1 | mrr@1 |",
        "| --- | ---: | ---: |",
        "| a | 0.2500 | **0.5000** |",
        "| b | **0.7500** | - |",
    ]


def test_files_are_written_completely_or_not_at_all(tmp_path):
    models = {"mine": report.model_report(EVALUATION, (1, 5), 1.0)}
    report.save_json({"models": models}, tmp_path / "evaluation.json")
    report.save_figure(report.at_k(models, "recall", (1, 5)), tmp_path / "recall_at_k.png")
    report.save_figure(report.by_position(models), tmp_path / "recall_by_position.png")
    with pytest.raises(ValueError, match="JSON"):
        report.save_json({"broken": float("nan")}, tmp_path / "other.json")
    assert json.loads((tmp_path / "evaluation.json").read_text())["models"] == models
    assert (tmp_path / "recall_at_k.png").read_bytes()[:4] == b"\x89PNG"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "evaluation.json",
        "recall_at_k.png",
        "recall_by_position.png",
    ]
