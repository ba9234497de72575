"""The figures of an ablation as JSON and as Markdown, in ``data/NAME/training/ablation``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infra.durable_file import write_durably
from training.ablation.experiment import Ablation, Experiment
from training.evaluation.bootstrap import Interval
from training.evaluation.run_files import read_json, write_json

FOLDER = "ablation"
EARNS, COSTS, UNCLEAR = "earns its place", "costs", "no difference shown"
NOTE = (
    "Worth: the metric with the part minus the metric without it, on the same lists of the validation windows, with "
    "its 95 % interval over resampled users. All models have the rounds that are best for the full one. Of twenty "
    "intervals one lies beside 0 by chance. Parts that know the same cover for each other."
)


def verdict(worth: Interval) -> str:
    if worth.low > 0:
        return EARNS
    return COSTS if worth.high < 0 else UNCLEAR


def body(
    found: Ablation, experiment: Experiment, dataset: str, until: str | None, training_set: str | None = None
) -> dict[str, Any]:
    """Of the JSON file. ``until``: nothing received then or later was used; None for a training set that says so.

    ``training_set``: its content hash, where it is that of the ranker.
    """
    return {
        "dataset": dataset,
        "model": experiment.model,
        "metric": experiment.metric,
        "judged_on": "validation",
        "known_at": until,
        "training_set": training_set,
        "rounds": found.rounds,
        "seeds": found.seeds,
        "users": found.users,
        "columns": found.columns,
        "full": asdict(found.full),
        "parts": [
            {**asdict(row), "verdict": verdict(row.worth), "added": arm.added}
            for row, arm in zip(found.rows, experiment.arms, strict=True)
        ],
    }


def markdown(found: Mapping[str, Any]) -> str:
    """The table of :func:`body`."""
    full = found["full"]
    lines = [
        f"# Ablation of the {found['model']}: {found['dataset']}",
        "",
        f"{found['metric']} of the full model {full['mean']:.4f}, {full['slates']:,} lists of {found['users']:,} "
        f"users, {found['columns']} features, {found['rounds']} rounds, {found['seeds']} seed(s).",
        "",
        f"| part | kind | {found['metric']} | worth | verdict |",
        "| --- | --- | ---: | ---: | --- |",
    ]
    for row in found["parts"]:
        change = "with" if row["added"] else "without"
        worth = row["worth"]
        figures = f"{worth['mean']:+.4f} [{worth['low']:+.4f}, {worth['high']:+.4f}]"
        lines.append(
            f"| {row['name']} | {row['kind']} | {row['value']['mean']:.4f} {change} it | {figures} | {row['verdict']} |"
        )
    return "\n".join([*lines, "", NOTE, ""])


def write(folder: Path, found: Mapping[str, Any]) -> Path:
    """Both files. Returns the JSON's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_durably(folder / f"{found['model']}.md", markdown(found).encode())
    path = folder / f"{found['model']}.json"
    write_json(path, found)
    return path


def ranker_results(training_dir: Path, content_hash: str) -> dict[str, Any] | None:
    """The body of the ranker's ablation, or None where there is none on this training set."""
    try:
        found: dict[str, Any] = read_json(training_dir / FOLDER / "ranker.json")
    except FileNotFoundError:
        return None
    return found if found.get("training_set") == content_hash else None
