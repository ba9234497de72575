"""The page on a training run: what it shows, what it escapes, what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import metrics_table, plots, report
from training.bootstrap import Interval
from training.metrics_table import markdown_table
from training.run_results import BadRun, read_run

HOSTILE = '<script>alert("x")</script> $x_{1$'


def interval(mean: float | None, slates: int = 3000) -> dict[str, Any]:
    return {
        "mean": mean,
        "low": None if mean is None else mean - 0.01,
        "high": None if mean is None else mean + 0.01,
        "slates": slates,
    }


def metrics(**changes: Any) -> dict[str, Any]:
    return {
        "dataset": "complete_journey",
        "model_name": HOSTILE,
        "champion": None,
        "promoted": True,
        "decision": f"better than {HOSTILE}",
        "slates": {"train": 9000, "validation": 2000, "test": 3000, "test_without_positive": 41},
        "coverage": 0.3412,
        "rankers": {
            "model": {"ndcg@10": interval(0.31), "mrr": interval(0.4)},
            "random": {"ndcg@10": interval(0.05), "mrr": interval(None, 0)},
        },
        "paired": {"baseline": "recency", "metric": "ndcg@10", **interval(0.0234)},
        "shuffled_label": {"ndcg@10": interval(0.051)},
        **changes,
    }


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "training" / "run"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(metrics()))
    slices = {"user_coldness": {HOSTILE: {"ndcg@10": interval(0.2, 77)}}, "item_coldness": {}}
    (folder / "slices.json").write_text(json.dumps(slices))
    (folder / "importance.csv").write_text("feature,gain,split\nprice,1.5,4\nbought_count,9.5,2\n")
    (folder / "learning_curve.csv").write_text("iteration,train_ndcg10,validation_ndcg10\n1,0.2,0.1\n2,0.4,0.3\n")
    (folder / "calibration.csv").write_text("bin,predicted,observed,rows\n0,-1.5,0.01,100\n1,2.0,0.4,10\n")
    return folder


def page_of(run_dir: Path, reports: Path) -> str:
    return report.write_report(run_dir, reports).read_text(encoding="utf-8")


def test_the_page_shows_the_verdict_the_counts_and_the_intervals(run_dir: Path, tmp_path: Path) -> None:
    page = page_of(run_dir, tmp_path)
    shown = ("Promoted to champion", "9,000", "41", "0.341", "0.3100 [0.3000, 0.3200]", "0.0234 [0.0134, 0.0334]")
    for text in (*shown, "recency", "0.0510 [0.0410, 0.0610]", "There was no champion"):
        assert text in page, text


def test_a_run_that_was_not_promoted_says_so_and_names_the_champion(run_dir: Path, tmp_path: Path) -> None:
    changed = metrics(promoted=False, champion="ranker-x version 3", paired=None, coverage=None)
    (run_dir / "metrics.json").write_text(json.dumps(changed))
    page = page_of(run_dir, tmp_path)
    for text in ("Not promoted", "ranker-x version 3", "No paired comparison", "unknown"):
        assert text in page, text
    assert "Promoted to champion" not in page


def test_texts_of_the_run_are_escaped(run_dir: Path, tmp_path: Path) -> None:
    page = page_of(run_dir, tmp_path)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_loads_nothing_from_anywhere(run_dir: Path, tmp_path: Path) -> None:
    page = page_of(run_dir, tmp_path)
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(sources) >= 6  # rankers, importance, curve, calibration, two slices
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"https?:|url\(|@import", page)


def test_two_reports_of_one_run_are_equal_byte_for_byte(run_dir: Path, tmp_path: Path) -> None:
    assert page_of(run_dir, tmp_path / "a") == page_of(run_dir, tmp_path / "b")


def test_nothing_but_the_page_is_left_in_the_folder(run_dir: Path, tmp_path: Path) -> None:
    page_of(run_dir, tmp_path / "reports")
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["training.html"]


def test_the_command_writes_where_the_settings_say(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RERANK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RERANK_DATASET", "shop")
    assert report.main() == 1
    assert "metrics.json does not exist: run `python -m training.train` first" in capsys.readouterr().err
    (tmp_path / "data" / "shop").mkdir(parents=True)
    run_dir.parent.rename(tmp_path / "data" / "shop" / "training")
    assert report.main() == 0
    assert (tmp_path / "data" / "shop" / "reports" / "training.html").exists()
    capsys.readouterr()
    assert metrics_table.main() == 0
    assert "| model | **0.3100 [0.3000, 0.3200]** |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("metrics.json", "{", "metrics.json is not JSON"),
        ("slices.json", "[]", "slices.json must hold an object"),
        ("metrics.json", '{"dataset": "x"}', "lacks 'paired'"),
        ("importance.csv", "feature,gain\nprice,1\n", "importance.csv lacks the columns split"),
        ("learning_curve.csv", "iteration,train_ndcg10,validation_ndcg10\n1,x,1\n", "learning_curve.csv: .*'x'"),
        ("calibration.csv", "", "calibration.csv lacks the columns bin, predicted, observed, rows"),
    ],
)
def test_a_broken_file_is_refused_by_name_and_nothing_is_written(
    run_dir: Path, tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    (run_dir / name).write_text(text)
    with pytest.raises(BadRun, match=complaint):
        report.write_report(run_dir, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    "name", ["metrics.json", "slices.json", "importance.csv", "learning_curve.csv", "calibration.csv"]
)
def test_a_missing_file_is_refused_by_name(run_dir: Path, name: str) -> None:
    (run_dir / name).unlink()
    with pytest.raises(BadRun, match=f"{name} does not exist"):
        read_run(run_dir)


def test_importance_is_read_largest_gain_first(run_dir: Path) -> None:
    assert read_run(run_dir).importance == (("bought_count", 9.5, 2.0), ("price", 1.5, 4.0))


def test_the_importance_plot_shows_shares_of_all_gain() -> None:
    importance = [(f"f{i}", 2.0 if i == 0 else 1.0, 1.0) for i in range(30)]
    widths = [bar.get_width() for bar in plots.importance_bars(importance).axes[0].patches]
    assert len(widths) == plots.IMPORTANCE_SHOWN
    assert widths[-1] == pytest.approx(2 / 31)  # drawn on top


def test_the_learning_curve_marks_the_best_validation_iteration() -> None:
    curve = {
        "iteration": np.array([10.0, 20.0, 30.0]),
        "train_ndcg10": np.array([0.1, 0.2, 0.3]),
        "validation_ndcg10": np.array([0.1, 0.4, 0.3]),
    }
    labels = [text.get_text() for text in plots.learning_curve(curve).axes[0].get_legend().get_texts()]
    assert labels == ["train", "validation", "best: 20"]


def test_rankers_are_drawn_best_on_top_and_undefined_ones_left_out() -> None:
    nan = float("nan")
    rankers = {
        "a": {"mrr": Interval(0.1, 0.0, 0.2, 5)},
        "b": {"mrr": Interval(0.3, 0.2, 0.4, 5)},
        "c": {"mrr": Interval(nan, nan, nan, 0)},
    }
    axes = plots.metric_intervals(rankers, "mrr", ["b"]).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]  # upwards


def test_empty_data_still_make_a_figure() -> None:
    none = np.empty(0)
    assert plots.importance_bars([]).axes
    assert plots.slice_intervals({}).axes
    assert plots.calibration({"predicted": none, "observed": none, "rows": none}).axes
    assert plots.learning_curve({"iteration": none, "train_ndcg10": none, "validation_ndcg10": none}).axes


def test_the_markdown_table_keeps_the_order_and_sets_the_best_in_bold() -> None:
    nan = float("nan")
    rankers = {
        "random": {"ndcg@10": Interval(0.1, 0.05, 0.15, 9), "mrr": Interval(nan, nan, nan, 0)},
        "a|b": {"ndcg@10": Interval(0.25, 0.2, 0.3, 9)},
    }
    assert markdown_table(rankers) == (
        "| ranker | ndcg@10 | mrr |\n"
        "| --- | ---: | ---: |\n"
        "| random | 0.1000 [0.0500, 0.1500] | – |\n"
        "| a\\|b | **0.2500 [0.2000, 0.3000]** | – |\n"
    )
