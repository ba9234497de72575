"""``python -m training.evaluation.report``: one self-contained page on the last training run.

Reads the files of the run in ``training_dir/run`` and writes ``reports_dir/training.html``. The plots are inside the
page, so it loads no other file.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Iterable
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from infra.settings import Settings
from training.evaluation import plots
from training.evaluation.baselines import YARDSTICKS
from training.evaluation.metrics_table import best_rankers, cell, table_rows
from training.evaluation.run_results import BadRun, RunResults, read_run

DPI = 110
PLOTTED_METRICS = ("ndcg@10", "map@10", "recall@25")

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #24292f; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2.4rem }
table { border-collapse: collapse; font-size: .85rem; display: block; overflow-x: auto }
th, td { padding: .35rem .7rem; border-bottom: 1px solid #e3e6ea; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left }
td.best { font-weight: 600 } img { max-width: 100%; height: auto } .note { color: #57606a; font-size: .9rem }
.verdict { border-left: 4px solid #8a94a0; padding: .5rem 1rem; background: #f6f8fa }
.verdict.promoted { border-color: #0b62a4 }
"""


def render(run: RunResults) -> str:
    """The page. All texts from the run are escaped."""
    sections = (_head(run), _counts(run), _rankers(run), _checks(run), _model(run), _slices(run))
    title = escape(f"Training report: {run.dataset}")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{''.join(sections)}</body></html>\n"
    )


def write_report(run_dir: Path, reports_dir: Path) -> Path:
    """Write ``training.html`` atomically. Returns its path. Raises BadRun."""
    page = render(read_run(run_dir))
    reports_dir.mkdir(parents=True, exist_ok=True)
    path = reports_dir / "training.html"
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


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
    return f"<h2>Slates</h2>\n{_table(['part', 'slates'], rows)}<p class=note>{note}</p>\n"


def _rankers(run: RunResults) -> str:
    header, *body = table_rows(run.rankers)
    best = {metric: best_rankers(run.rankers, metric) for metric in header[1:]}
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(
            f"<td{' class=best' if name in best[metric] else ''}>{escape(text)}</td>"
            for metric, text in zip(header[1:], cells, strict=True)
        )
        + "</tr>"
        for name, *cells in body
    )
    models = [name for name in run.rankers if name not in YARDSTICKS]
    images = [
        _image(plots.metric_intervals(run.rankers, metric, models), f"{metric} of each ranker")
        for metric in PLOTTED_METRICS
        if metric in header
    ]
    return (
        "<h2>Rankers on the test slates</h2>\n"
        "<p class=note>Mean over slates with its 95 % bootstrap interval; ties count against the ranker.</p>\n"
        f"<table><tr>{_cells('th', header)}</tr>{rows}</table>\n{''.join(images)}"
    )


def _checks(run: RunResults) -> str:
    rows = table_rows(run.shuffled_label)
    return (
        f"<h2>Paired difference</h2>\n<p>{escape(run.paired.metric)} of the model minus that of the best baseline, "
        f"{escape(run.paired.baseline)}, on the same {run.paired.difference.slates:,} slates: "
        f"<strong>{cell(run.paired.difference)}</strong>.</p>\n"
        "<h2>Shuffled-label check</h2>\n<p class=note>With labels shuffled inside each slate, the model must be no "
        f"better than random. Difference: {cell(run.shuffled_difference)}.</p>\n{_table(rows[0], rows[1:])}"
    )


def _model(run: RunResults) -> str:
    curve = plots.learning_curve(run.learning_curve, run.best_round)
    return (
        f"<h2>Feature importance</h2>\n{_image(plots.importance(run.importance), 'gain of each feature')}"
        f"<h2>Learning curve</h2>\n{_image(curve, 'NDCG@10 by boosting round')}"
        f"<h2>Calibration</h2>\n{_image(plots.calibration(run.calibration), 'share of positives by score')}"
    )


def _slices(run: RunResults) -> str:
    return "".join(
        f"<h2>By {escape(kind.replace('_', ' '))}</h2>\n{_image(plots.slice_intervals(slices), kind)}"
        for kind, slices in run.slices.items()
    )


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{_cells('th', header)}</tr>{body}</table>\n"


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def _image(figure: Figure, alternative: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<p><img alt="{escape(alternative)}" src="data:image/png;base64,{data}"></p>\n'


def main() -> int:
    settings = Settings()
    try:
        print(write_report(settings.training_dir / "run", settings.reports_dir))
    except BadRun as error:
        print(f"training.evaluation.report: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
