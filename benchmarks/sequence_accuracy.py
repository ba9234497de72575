"""GRU4Rec's accuracy at the settings of the authors' own figure, beside it.

    python -m benchmarks.sequence_accuracy --data FOLDER [--seeds 3] [--json FILE] [section.name=value ...]

FOLDER holds yoochoose-clicks-100k_{train_full,test}.txt, SessionId/ItemId/Time TSVs. The model is trained on the first,
repeats included, and evaluated on the second: every position, all items, ties counted against it. The reference is the
authors' own PyTorch implementation with these settings, on the same files and by the same rule.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any

from infra.command import command_settings
from infra.params import read_params
from infra.settings import Settings
from training.gru4rec.config import Gru4RecConfig, read_config
from training.gru4rec.errors import SequenceError
from training.gru4rec.evaluation.next_item_metrics import evaluate
from training.gru4rec.fitting.training import fit
from training.gru4rec.folders import Folders
from training.gru4rec.network.checkpoint import BEST, load_network
from training.gru4rec.network.gru_scorer import GruScorer
from training.gru4rec.sessions import preprocess
from training.gru4rec.sessions.processed import Vocabulary, load_split

REFERENCE = {"recall@20": 0.652, "mrr@20": 0.348, "events_per_s": 30_000}
SETTINGS = [
    "data.drop_repeats=false",
    "data.validation=",
    "model.hidden_size=100",
    "model.dropout_embedding=0",
    "model.dropout_hidden=0",
    "train.loss=cross_entropy",
    "train.batch_size=64",
    "train.n_samples=512",
    "train.sample_alpha=0.5",
    "train.logq=1",
    "train.learning_rate=0.1",
    "train.momentum=0",
    "train.epochs=10",
    "train.patience=0",
    "train.threads=1",
]
FILES = {"source": "train_full", "test": "test"}
KS = (1, 5, 10, 20)


def measure(config: Gru4RecConfig, seeds: int, settings: Settings) -> dict[str, Any]:
    """``config.out``: an empty folder. Raises SequenceError."""
    folders = Folders(Path(config.out))
    preprocess.run(config, settings)
    runs = []
    for seed in range(1, seeds + 1):
        found = one_run(replace(config, train=replace(config.train, seed=seed)), folders)
        print(f"seed {seed}: " + "  ".join(f"{name} {value:,.4f}" for name, value in found.items()), file=sys.stderr)
        runs.append(found)
    means = {name: mean(found[name] for found in runs) for name in runs[0]}
    return {
        "runs": runs,
        "mean": means,
        "reference": REFERENCE,
        "ratio": {name: means[name] / value for name, value in REFERENCE.items()},
    }


def one_run(config: Gru4RecConfig, folders: Folders) -> dict[str, float]:
    """Metrics on test of the best epoch, which is the last where there is no validation; events/s: the median epoch."""
    train, validation, test = (load_split(folders.processed, name) for name in ("train", "val", "test"))
    counts = Vocabulary.load(folders.processed).counts
    trained = fit(
        train,
        counts,
        config.model,
        config.train,
        folders.checkpoints,
        validation=validation if len(validation) else None,
        progress=False,
    )
    evaluated = evaluate(GruScorer(load_network(folders.checkpoints / BEST)), test)
    speed = median(epoch["events_per_s"] for epoch in trained.history)
    return {**evaluated.metrics(KS), "best_epoch": trained.best_epoch, "events_per_s": speed}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the TSVs")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("settings", nargs="*", metavar="section.name=value", help="other settings than the reference's")
    arguments = parser.parse_args()
    settings = command_settings()
    files = [f"data.{key}={arguments.data}/yoochoose-clicks-100k_{name}.txt" for key, name in FILES.items()]
    with tempfile.TemporaryDirectory(prefix="sequence-accuracy-") as folder:
        try:
            config = read_config(read_params(settings), [*SETTINGS, *files, f"out={folder}", *arguments.settings])
            result = measure(config, arguments.seeds, settings)
        except SequenceError as error:
            print(f"benchmarks.sequence_accuracy: {error}", file=sys.stderr)
            return 2
    for name, value in REFERENCE.items():
        print(f"{name:14}{result['mean'][name]:>12,.4f}  reference {value:>10,}  ratio {result['ratio'][name]:.3f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
