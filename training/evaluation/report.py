"""``python -m training.evaluation.report``: one self-contained page on the last training run.

Reads the files of the run in ``training_dir/run`` and writes ``reports_dir/training.html``. The plots are inside the
page, so it loads no other file.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

from infra.command import command_settings
from infra.report_page.page import page, table, write_page
from infra.report_page.plot import image
from training.evaluation import plots
from training.evaluation.baselines import YARDSTICKS
from training.evaluation.metrics_table import cell, table_rows
from training.evaluation.rankers_table import rankers_table
from training.evaluation.run_results import BadRun, RunResults, read_run

PLOTTED_METRICS = ("ndcg@10", "map@10", "recall@25")


def render(run: RunResults) -> str:
    """The page. All texts from the run are escaped."""
    sections = (_head(run), _counts(run), _rankers(run), _checks(run), _model(run), _slices(run))
    return page(f"Training report: {run.dataset}", "".join(sections))


def write_report(run_dir: Path, reports_dir: Path) -> Path:
    """Write ``training.html`` atomically. Returns its path. Raises BadRun."""
    return write_page(reports_dir / "training.html", render(read_run(run_dir)))


def _head(run: RunResults) -> str:
    verdict = "Promoted to champion" if run.promoted else "Not promoted"
    champion = f"Served as champion: {escape(run.champion or 'not registered yet')}."
    return (
        f"<h1>{escape(run.model_name)}</h1>\n<p class=note>data set {escape(run.dataset)}</p>\n"
        f'<p class="verdict{" promoted" if run.promoted else ""}"><strong>{verdict}.</strong> '
        f"{escape(run.decision)}<br><span class=note>{champion}</span></p>\n"
    )


def _counts(run: RunResults) -> str:
    rows = [[name.replace("_", " "), f"{count:,}"] for name, count in run.slates.items()]
    coverage = "unknown" if run.coverage is None else f"{run.coverage:.3f}"
    note = (
        f"Coverage, the share of wanted items that are in their slate: {coverage}. "
        "Slates without a positive are not in NDCG, MRR and MAP."
    )
    return f"<h2>Slates</h2>\n{table(['part', 'slates'], rows)}<p class=note>{note}</p>\n"


def _rankers(run: RunResults) -> str:
    header = table_rows(run.rankers)[0]
    models = [name for name in run.rankers if name not in YARDSTICKS]
    images = [
        image(plots.metric_intervals(run.rankers, metric, models), f"{metric} of each ranker")
        for metric in PLOTTED_METRICS
        if metric in header
    ]
    return (
        "<h2>Rankers on the test slates</h2>\n"
        "<p class=note>Mean over slates with its 95 % bootstrap interval; ties count against the ranker.</p>\n"
        f"{rankers_table(run.rankers)}{''.join(images)}"
    )


def _checks(run: RunResults) -> str:
    rows = table_rows(run.shuffled_label)
    return (
        f"<h2>Paired difference</h2>\n<p>{escape(run.paired.metric)} of the model minus that of the best baseline, "
        f"{escape(run.paired.baseline)}, on the same {run.paired.difference.slates:,} slates: "
        f"<strong>{cell(run.paired.difference)}</strong>.</p>\n"
        "<h2>Shuffled-label check</h2>\n<p class=note>With labels shuffled inside each slate, the model must be no "
        f"better than random. Difference: {cell(run.shuffled_difference)}.</p>\n{table(rows[0], rows[1:])}"
    )


def _model(run: RunResults) -> str:
    curve = plots.learning_curve(run.learning_curve, run.best_round)
    return (
        f"<h2>Feature importance</h2>\n{image(plots.importance(run.importance), 'gain of each feature')}"
        f"<h2>Learning curve</h2>\n{image(curve, 'NDCG@10 by boosting round')}"
        f"<h2>Calibration</h2>\n{image(plots.calibration(run.calibration), 'share of positives by score')}"
    )


def _slices(run: RunResults) -> str:
    return "".join(
        f"<h2>By {escape(kind.replace('_', ' '))}</h2>\n{image(plots.slice_intervals(slices), kind)}"
        for kind, slices in run.slices.items()
    )


def main() -> int:
    settings = command_settings()
    try:
        print(write_report(settings.training_dir / "run", settings.reports_dir))
    except BadRun as error:
        print(f"training.evaluation.report: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
