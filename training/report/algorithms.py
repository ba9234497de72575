"""The section that compares algorithms: all rankers of both models, the objectives, and the ways to choose users."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.report_page.page import table
from infra.report_page.plot import image
from training.evaluation import plots
from training.evaluation.baselines import YARDSTICKS
from training.evaluation.rankers_table import rankers_table
from training.evaluation.run_results import RankerMetrics, interval, intervals
from training.report.study import Section, Study, block, note, paragraph, read_object
from training.report.tuning import METRICS, command, history, objectives

RANKER, RECOMMENDER = "python -m training.train", "python -m training.stage_two"
RANKER_RUN, RECOMMENDER_RUN = ("run", "metrics.json"), ("recommend", "run", "metrics.json")
CHOICE_FILE = "compare.json"
TUNED = ("ranker", "recommender")


def section(study: Study) -> Section:
    choice = (
        "python -m training.recommend.compare --at TIMESTAMP --json "
        f"data/{study.settings.dataset}/training/{CHOICE_FILE}"
    )
    tuned = "".join(f"<h4>{model}</h4>\n" + block(_objectives(study, model), command(model)) for model in TUNED)
    return Section(
        "algorithms",
        "Algorithms compared",
        note("Means over the test lists with their 95 % bootstrap intervals over users; ties count against the ranker.")
        + "<h3>Ranking a given list</h3>\n"
        + block(lambda: _ranker(study), RANKER)
        + "<h3>Recommending without a list</h3>\n"
        + block(lambda: _recommender(study), RECOMMENDER)
        + "<h3>Objectives</h3>\n"
        + tuned
        + "<h3>What is listed, and who is written to</h3>\n"
        + block(lambda: _choice(study), choice),
    )


def _ranker(study: Study) -> str:
    found = read_object(study.training_file(*RANKER_RUN))
    link = "training.html"
    page = (
        f'<p>The run has <a href="{link}">a page of its own</a>: learning curve, importance of features, slices.</p>\n'
    )
    return _rankers(found, "ndcg@10") + (page if (study.settings.reports_dir / link).exists() else "")


def _recommender(study: Study) -> str:
    found = read_object(study.training_file(*RECOMMENDER_RUN))
    if "rankers" not in found:
        return paragraph(found["decision"])
    coverage = (
        f"The candidates hold {found['coverage']:.1%} of what was wanted, which no order of them can exceed by recall. "
        f"Known then: what was received before {found['known_at']}."
    )
    return _rankers(found, "recall@25") + note(coverage)


def _rankers(found: dict[str, Any], metric: str) -> str:
    rankers: RankerMetrics = intervals(found["rankers"])
    models = [name for name in rankers if name not in YARDSTICKS]
    plot = image(plots.metric_intervals(rankers, metric, models), f"{metric} of each ranker")
    lists = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found["slates"].items())
    return rankers_table(rankers, metric) + plot + note(f"Lists: {lists}.")


def _objectives(study: Study, model: str) -> Callable[[], str]:
    def make() -> str:
        found = objectives(history(study.settings, model), METRICS[model])
        return found or note("No study has tuned the objective.")

    return make


def _choice(study: Study) -> str:
    found = read_object(study.training_file(CHOICE_FILE))
    return (
        _compared("lists for everybody", found["lists"], found["at"])
        + _compared(f"{found['users']} users by", found["ways"], found["at"])
        + note(
            f"Recall per buyer of {found['k']} items within {found['days']} days. The users are chosen in several ways "
            "from the recommender's lists; who is not chosen counts as 0."
        )
    )


def _compared(head: str, rows: Mapping[str, Mapping[str, Any]], ats: Sequence[str]) -> str:
    """The body of the table that :mod:`training.recommend.compare` prints."""
    first = next(iter(rows))
    body = []
    for name, row in rows.items():
        difference = interval(row["first_minus_it"])
        minus = f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]" if name != first else ""
        windows = (f"{value:.4f}" for value in row["windows"])
        body.append([name, *windows, f"{row['pooled']['mean']:.4f}", minus])
    return table([head, *(at[:10] for at in ats), "pooled", f"{first} minus it"], body)
