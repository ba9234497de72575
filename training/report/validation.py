"""The section on validation: are the gains real, did the data pass the gates, does serving read what training read?"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from infra.report_page.page import table
from training.evaluation.metrics_table import cell
from training.evaluation.run_results import interval, intervals
from training.report.algorithms import RANKER, RANKER_RUN, RECOMMENDER, RECOMMENDER_RUN
from training.report.study import Section, Study, block, note, paragraph, read_object

GATES = ("log", "live", "features", "training_set")
GATE = re.compile(r"^\*\*(passed|blocked)\*\*.*?^(\d[^.]*)\.", re.MULTILINE | re.DOTALL)
HEADLINE = re.compile(r"^\*\*(.+)\*\*$", re.MULTILINE)
SKEW = "python -m validation.skew"


def section(study: Study) -> Section:
    return Section(
        "validation",
        "Validation",
        "<h3>Is the gain real?</h3>\n"
        + note("The intervals of all rankers are in the section above. Here: the difference to the best baseline.")
        + block(lambda: _difference(study, *RANKER_RUN), RANKER)
        + block(lambda: _difference(study, *RECOMMENDER_RUN), RECOMMENDER)
        + "<h3>Did the data pass the gates?</h3>\n"
        + "".join(_gate(study, gate) for gate in GATES)
        + "<h3>Does serving read what training read?</h3>\n"
        + block(lambda: _skew(study), SKEW),
    )


def _difference(study: Study, *names: str) -> str:
    found = read_object(study.training_file(*names))
    body = f"<p><strong>{escape(found['model_name'])}</strong>: {escape(found['decision'])}.</p>\n"
    if "paired" not in found:
        return body
    paired = found["paired"]
    body += paragraph(
        f"{paired['metric']} minus that of {paired['baseline']}, the best baseline, on the same {paired['slates']:,} "
        f"test lists: {_signed(paired)}."
    )
    if "shuffled_label" not in found:
        return body
    shuffled = dict(found["shuffled_label"])
    difference = interval(shuffled.pop("difference"))
    means = ", ".join(f"{name} {cell(each.get('ndcg@10'))}" for name, each in intervals(shuffled).items())
    return body + paragraph(
        "With labels shuffled inside each list the model must be no better than random. "
        f"ndcg@10: {means}; difference {cell(difference)}."
    )


def _signed(body: dict[str, float]) -> str:
    found = interval(body)
    return f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"


def _gate(study: Study, gate: str) -> str:
    folder = study.settings.reports_dir / "validation" / gate
    return block(lambda: _gate_row(study, gate, folder), f"python -m validation {gate}")


def _gate_row(study: Study, gate: str, folder: Path) -> str:
    found = GATE.search((folder / "summary.md").read_text())
    if found is None:
        raise ValueError(f"{folder / 'summary.md'} does not say whether the gate passed")
    page = folder / "report.html"
    link = page.relative_to(study.settings.reports_dir).as_posix()
    name = f'<a href="{escape(link)}">{escape(gate)}</a>' if page.exists() else escape(gate)
    return f"<p>{name}: <strong>{found[1]}</strong>; {escape(found[2])}.</p>\n"


def _skew(study: Study) -> str:
    folder = study.settings.reports_dir / "skew"
    found = HEADLINE.search((folder / "skew.md").read_text())
    if found is None:
        raise ValueError(f"{folder / 'skew.md'} has no headline")
    return table(["skew audit"], [[found[1]]]) + '<p><a href="skew/index.html">The audit\'s page</a></p>\n'
