"""The section on the hypotheses: does each source, each feature family and the sequence score earn its place?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infra.report_page.page import table
from infra.report_page.plot import image
from training.ablation.experiment import FEATURES, SEQUENCE, SOURCE
from training.ablation.results import COSTS, EARNS, FOLDER, NOTE, UNCLEAR
from training.candidates.source_table import CUTS
from training.evaluation.run_results import interval
from training.report import figures
from training.report.study import Section, Study, block, not_run, note, paragraph, read_object

ABLATION = {
    "recommender": "python -m training.ablation --model recommender",
    "ranker": "python -m training.ablation --model ranker",
}
SOURCES_FILE = "candidates.json"
SEQUENCE_MODEL = "python -m training.gru4rec export_mlflow"

Part = Mapping[str, Any]


def section(study: Study) -> Section:
    source_table = f"python -m training.candidates --json data/{study.settings.dataset}/training/{SOURCES_FILE}"
    return Section(
        "hypotheses",
        "Hypotheses and their result",
        note(NOTE)
        + "<h3>Each candidate source earns its place</h3>\n"
        + block(lambda: _tested(study, "recommender", SOURCE), ABLATION["recommender"])
        + block(lambda: _source_table(study), source_table)
        + "<h3>Each feature family earns its place in the recommender</h3>\n"
        + block(lambda: _tested(study, "recommender", FEATURES), ABLATION["recommender"])
        + "<h3>Each feature family earns its place in the ranker</h3>\n"
        + block(lambda: _tested(study, "ranker", FEATURES), ABLATION["ranker"])
        + "<h3>The sequence score earns its place</h3>\n"
        + block(lambda: _sequence(study), ABLATION["recommender"]),
    )


def _tested(study: Study, model: str, kind: str) -> str:
    found = _ablation(study, model)
    parts = [part for part in found["parts"] if part["kind"] == kind]
    if not parts:
        return note("There is one part of this kind only, and without it there is nothing to rank.")
    return paragraph(result(parts)) + _table(found, parts)


def result(parts: Sequence[Part]) -> str:
    """The answer in a sentence."""
    of = {
        verdict: [part["name"] for part in parts if part["verdict"] == verdict] for verdict in (EARNS, UNCLEAR, COSTS)
    }
    earns = f"{len(of[EARNS])} of {len(parts)}: {', '.join(of[EARNS])}" if of[EARNS] else f"none of {len(parts)}"
    said = [f"{earns}."]
    if of[UNCLEAR]:
        said.append(f"For {', '.join(of[UNCLEAR])} no difference is shown.")
    if of[COSTS]:
        said.append(f"The model is better without {', '.join(of[COSTS])}.")
    return f"Result: the lower bound is above 0 for {' '.join(said)}"


def _ablation(study: Study, model: str) -> dict[str, Any]:
    return read_object(study.training_file(FOLDER, f"{model}.json"))


def _table(found: Mapping[str, Any], parts: Sequence[Part]) -> str:
    metric, full = found["metric"], found["full"]
    rows = []
    for part in parts:
        worth = part["worth"]
        rows.append(
            [
                part["name"],
                f"{'with' if part['added'] else 'without'} {part['value']['mean']:.4f}",
                f"{worth['mean']:+.4f} [{worth['low']:+.4f}, {worth['high']:+.4f}]",
                part["verdict"],
            ]
        )
    known = "" if found["known_at"] is None else f", as of {found['known_at']}"
    return (
        table(["part", metric, "worth", "verdict"], rows)
        + image(
            figures.worths({part["name"]: interval(part["worth"]) for part in parts}, metric),
            f"{metric} that each part is worth",
        )
        + note(
            f"Full model: {metric} {full['mean']:.4f} on {full['slates']:,} validation lists of {found['users']:,} "
            f"users{known}; {found['columns']} features, {found['rounds']} rounds, {found['seeds']} seed(s)."
        )
    )


def _source_table(study: Study) -> str:
    found = read_object(study.training_file(SOURCES_FILE))
    cuts = [str(cut) for cut in CUTS]
    rows = [
        [
            row["source"],
            f"{row['per_user']:.0f}",
            *(f"{row['recall'][cut]:.4f}" for cut in cuts),
            f"{row['loss'][cuts[-1]]:+.4f}" if "loss" in row else "-",
        ]
        for row in found["sources"]
    ]
    windows = ", ".join(
        f"{start[:10]} ({users:,} users)" for start, users in zip(found["windows"], found["users"], strict=True)
    )
    return table(["source", "per user", *(f"first {cut}" for cut in cuts), f"union's loss at {cuts[-1]}"], rows) + note(
        f"Recall of the first candidates of each source, before any ranking, and what the union of at most "
        f"{found['limit']} loses without it. Windows of {found['days']} days: {windows}."
    )


def _sequence(study: Study) -> str:
    found = _ablation(study, "recommender")
    parts = [part for part in found["parts"] if part["kind"] == SEQUENCE]
    if not parts:
        return not_run(
            f"{SEQUENCE_MODEL}, then {ABLATION['recommender']}",
            "no export of the sequence model ended before the windows, or its source has no candidates",
        )
    return (
        paragraph(f"It is the score and rank of the candidate source next_item (GRU4Rec). {result(parts)}")
        + _table(found, parts)
        + note("The ranker of given lists reads no sequence score.")
    )
