"""The page on a training run: its content, its escaping, and the files that it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from training.evaluation import metrics_table, plots, report
from training.evaluation.bootstrap import Interval
from training.evaluation.run_results import BadRun, read_run

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
        "champion": "lambdamart",
        "promoted": True,
        "best_round": 2,
        "decision": f"better than {HOSTILE}",
        "slates": {"train": 9000, "validation": 2000, "test": 3000, "test_without_positive": 41},
        "coverage": 0.3412,
        "rankers": {
            "lambdamart": {"ndcg@10": interval(0.31), "mrr": interval(0.4)},
            "random": {"ndcg@10": interval(0.05), "mrr": interval(None, 0)},
        },
        "paired": {"baseline": "recency", "metric": "ndcg@10", **interval(0.0234)},
        "shuffled_label": {
            "lambdamart": {"ndcg@10": interval(0.071)},
            "random": {"ndcg@10": interval(0.069)},
            "difference": interval(0.002),
        },
        **changes,
    }


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "training" / "run"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(metrics()))
    slices = {
        "user_coldness": {HOSTILE: {"ndcg@10": interval(0.2, 77)}},
        "item_coldness": {"0": {"hit@10": interval(0.1)}},
    }
    (folder / "slices.json").write_text(json.dumps(slices))
    (folder / "importance.csv").write_text("feature,gain,split\nprice,1.5,4\nbought_count,9.5,2\n")
    (folder / "learning_curve.csv").write_text("iteration,train_metric,validation_metric\n1,0.2,0.1\n2,0.4,0.3\n")
    (folder / "calibration.csv").write_text("bin,predicted,observed,rows\n0,-1.5,0.01,100\n1,2.0,0.4,10\n")
    return folder


def page_of(run_dir: Path, reports: Path) -> str:
    return report.write_report(run_dir, reports).read_text(encoding="utf-8")


def test_the_page_shows_the_verdict_the_counts_and_the_intervals(run_dir: Path, tmp_path: Path) -> None:
    page = page_of(run_dir, tmp_path)
    shown = ("Promoted to champion", "9,000", "41", "0.341", "0.310 [0.300, 0.320]", "0.023 [0.013, 0.033]")
    for text in (*shown, "recency", "0.071 [0.061, 0.081]", "0.002 [-0.008, 0.012]", "Served as champion: lambdamart"):
        assert text in page, text


def test_the_page_of_a_run_that_was_not_promoted_names_the_served_champion(run_dir: Path, tmp_path: Path) -> None:
    changed = metrics(promoted=False, champion="recency", coverage=None)
    (run_dir / "metrics.json").write_text(json.dumps(changed))
    page = page_of(run_dir, tmp_path)
    for text in ("Not promoted", "Served as champion: recency", "unknown"):
        assert text in page, text
    assert "Promoted to champion" not in page


def test_texts_of_the_run_are_escaped(run_dir: Path, tmp_path: Path) -> None:
    page = page_of(run_dir, tmp_path)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_page_loads_no_other_file(run_dir: Path, tmp_path: Path) -> None:
    page = page_of(run_dir, tmp_path)
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', page)
    assert len(sources) >= 6  # rankers, importance, curve, calibration, two slices
    assert all(source.startswith("data:image/svg+xml;base64") for source in sources)
    assert not re.search(r"https?:|url\(|@import", page)


def test_two_reports_of_one_run_are_equal_in_all_bytes(run_dir: Path, tmp_path: Path) -> None:
    assert page_of(run_dir, tmp_path / "a") == page_of(run_dir, tmp_path / "b")


def test_only_the_page_is_left_in_the_folder(run_dir: Path, tmp_path: Path) -> None:
    page_of(run_dir, tmp_path / "reports")
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["training.html"]


def test_the_command_writes_to_the_folder_of_the_settings(
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
    assert "| lambdamart | **0.310 [0.300, 0.320]** |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metrics.json", "{", "metrics.json is not JSON"),
        ("slices.json", "[]", "slices.json must contain an object"),
        ("metrics.json", '{"dataset": "x"}', "lacks 'paired'"),
        ("metrics.json", json.dumps({**metrics(), "rankers": {"x": 3}}), "has another format"),
        ("importance.csv", "feature,gain\nprice,1\n", "importance.csv lacks the columns split"),
        (
            "learning_curve.csv",
            "iteration,train_metric,validation_metric\n1,x,1\n",
            "learning_curve.csv, line 2, column train_metric: 'x' is not a number",
        ),
        ("calibration.csv", "", "calibration.csv has no rows"),
        ("calibration.csv", "bin,predicted,observed,rows\n1,2\n", "line 2, column observed: None is not a number"),
    ],
)
def test_a_broken_file_is_refused_and_named_and_no_page_is_written(
    run_dir: Path, tmp_path: Path, name: str, text: str, message: str
) -> None:
    (run_dir / name).write_text(text)
    with pytest.raises(BadRun, match=message):
        report.write_report(run_dir, tmp_path / "reports")
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    "name", ["metrics.json", "slices.json", "importance.csv", "learning_curve.csv", "calibration.csv"]
)
def test_a_missing_file_is_refused_and_named(run_dir: Path, name: str) -> None:
    (run_dir / name).unlink()
    with pytest.raises(BadRun, match=f"{name} does not exist"):
        read_run(run_dir)


def test_the_importance_plot_shows_shares_of_the_total_gain_with_the_highest_on_top() -> None:
    rows = [{"feature": f"f{i}", "gain": "2.0" if i == 7 else "1.0", "split": "1"} for i in range(30)]
    axes = plots.importance(rows).axes[0]
    assert len(axes.patches) == plots.IMPORTANCE_SHOWN
    assert axes.patches[-1].get_width() == pytest.approx(2 / 31)
    assert axes.get_yticklabels()[-1].get_text() == "f7"


def test_the_learning_curve_shows_both_splits_and_the_best_round() -> None:
    rows = [{"iteration": str(i), "train_metric": f"0.{i}", "validation_metric": "0.1"} for i in (1, 2, 3)]
    axes = plots.learning_curve(rows, best_round=2).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["train", "validation", "best: 2"]
    assert list(axes.lines[0].get_ydata()) == [0.1, 0.2, 0.3]


def test_the_calibration_plot_shows_the_diagonal_too() -> None:
    rows = [{"bin": "0", "predicted": "0.1", "observed": "0.2", "rows": "9"}]
    diagonal, found = plots.calibration(rows).axes[0].lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 0.2]
    assert (list(found.get_xdata()), list(found.get_ydata())) == ([0.1], [0.2])


def test_the_best_ranker_is_on_top_and_undefined_ones_are_left_out() -> None:
    nan = float("nan")
    rankers = {
        "a": {"mrr": Interval(0.1, 0.0, 0.2, 5)},
        "b": {"mrr": Interval(0.3, 0.2, 0.4, 5)},
        "c": {"mrr": Interval(nan, nan, nan, 0)},
    }
    axes = plots.metric_intervals(rankers, "mrr", ["b"]).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]  # from bottom to top


def test_slices_show_their_metric_and_the_number_of_values() -> None:
    axes = plots.slice_intervals({"0": {"hit@10": Interval(0.1, 0.0, 0.2, 1234)}}).axes[0]
    assert axes.get_yticklabels()[0].get_text() == "0 (1,234)"
    assert axes.get_xlabel().startswith("hit@10")


def test_empty_data_make_a_figure_too() -> None:
    assert plots.importance([]).axes
    assert plots.slice_intervals({}).axes
    assert plots.calibration([]).axes
    assert plots.learning_curve([], 0).axes


def test_the_markdown_table_puts_the_best_first_and_in_bold() -> None:
    undefined = {"mean": None, "low": None, "high": None, "slates": 0}
    rankers = {"random": {"ndcg@10": interval(0.1), "mrr": undefined}, "a|b": {"ndcg@10": interval(0.25)}}
    assert metrics_table.metrics_table(rankers) == (
        "| ranker | ndcg@10 | mrr |\n"
        "| --- | ---: | ---: |\n"
        "| a\\|b | **0.250 [0.240, 0.260]** | - |\n"
        "| random | 0.100 [0.090, 0.110] | - |"
    )
