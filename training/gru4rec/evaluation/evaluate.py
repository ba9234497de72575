"""``python -m training.gru4rec evaluate``: evaluate the best checkpoint and all baselines on the same sessions."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from infra.settings import Settings
from training.gru4rec.baselines.covisitation import Covisitation
from training.gru4rec.baselines.markov import Markov
from training.gru4rec.baselines.popularity import Popularity
from training.gru4rec.baselines.vstan import VStan
from training.gru4rec.config import Gru4RecConfig
from training.gru4rec.errors import SplitError
from training.gru4rec.evaluation.evaluation_report import (
    at_k,
    by_position,
    markdown_table,
    model_report,
    save_figure,
    save_json,
)
from training.gru4rec.evaluation.next_item_metrics import evaluate
from training.gru4rec.folders import Folders
from training.gru4rec.network.checkpoint import BEST, load_network
from training.gru4rec.network.gru_scorer import GruScorer
from training.gru4rec.next_item import NextItemModel
from training.gru4rec.sessions.processed import Sessions, Vocabulary, load_split

REPORT_FILE = "evaluation.json"
BASELINES: tuple[Callable[[Sessions, int], NextItemModel], ...] = (
    VStan.fit,
    Covisitation.fit,
    Markov.fit,
    Popularity.fit,
)


def run(config: Gru4RecConfig, settings: Settings) -> None:
    """Write reports/evaluation.json and the plots, and print the table. Raises SequenceError."""
    torch.set_num_threads(config.train.threads)
    folders = config.folders(settings)
    report = evaluate_all(config, folders)
    folders.reports.mkdir(parents=True, exist_ok=True)
    folders.plots.mkdir(parents=True, exist_ok=True)
    save_json({"dataset": settings.dataset, **report}, folders.reports / REPORT_FILE)
    for kind in ("recall", "mrr"):
        save_figure(at_k(report["models"], kind, config.evaluate.ks), folders.plots / f"{kind}_at_k.png")
    save_figure(by_position(report["models"]), folders.plots / "recall_by_position.png")
    print(markdown_table(report["models"], config.evaluate.ks))
    print(f"\n{report['positions']:,} positions of {report['sessions']:,} {report['split']} sessions,", end=" ")
    print(f"{report['items']:,} items; ties count against the model")


def evaluate_all(config: Gru4RecConfig, folders: Folders) -> dict[str, Any]:
    """The body of evaluation.json, without the name of the data set. Raises SequenceError."""
    vocabulary = Vocabulary.load(folders.processed)
    train = load_split(folders.processed, "train")
    sessions = load_split(folders.processed, config.evaluate.split)
    if sessions.lengths.max(initial=0) < 2:
        raise SplitError(f"{folders.processed / config.evaluate.split}.parquet has no session of two items")
    network = load_network(folders.checkpoints / BEST)
    if network.n_items != len(vocabulary):
        raise SplitError(
            f"{folders.checkpoints / BEST} has {network.n_items} items, the vocabulary {len(vocabulary)}: "
            "preprocess ran after train; run train again"
        )
    models: dict[str, dict[str, Any]] = {}
    positions = 0
    for fit in (lambda *_: GruScorer(network), *BASELINES):
        started = time.monotonic()
        model = fit(train, len(vocabulary))
        evaluation = evaluate(model, sessions, progress=sys.stderr.isatty())
        models[model.name] = model_report(evaluation, config.evaluate.ks, time.monotonic() - started)
        positions = len(evaluation.ranks)
    return {
        "split": config.evaluate.split,
        "sessions": len(sessions),
        "positions": positions,
        "items": len(vocabulary),
        "models": models,
    }


def metrics_of(report: Mapping[str, Any]) -> dict[str, float]:
    """``recall@K`` and ``mrr@K`` of the network, from the body of evaluation.json."""
    found = report["models"][GruScorer.name]
    return {name: value for name, value in found.items() if isinstance(value, float) and "@" in name}
