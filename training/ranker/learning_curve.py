"""``python -m training.ranker.learning_curve [--slates N …]``: what more training slates are worth, and what they cost.

The ranker is fitted on the first N train slates in a seeded order, so that larger sets hold the smaller ones, and on
all of them. Every model chooses its rounds on the same validation slates and is judged on the same test slates.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from infra.settings import Settings
from training.evaluation.baselines import YARDSTICKS, baselines
from training.evaluation.ranker_evaluation import DECIDING, Evaluation, evaluate
from training.evaluation.run_files import write_json
from training.ranker.lambdamart import fit
from training.training_set.build import TRAINING_SET_FILE
from training.training_set.levels import Levels
from training.training_set.ranking_data import BadTrainingSet, RankingData, load_splits

SLATES = (3_000, 10_000, 30_000)
VALIDATION_SLATES = 3_000  # at most: the metric of each round is taken on them
FOLDER = "learning_curve"


def learning_curve(
    data: Mapping[str, RankingData], params: Mapping[str, Any], slates: Sequence[int], threads: int
) -> dict[str, Any]:
    """``data``: by split; ``params``: the section ``train``; ``slates``: sizes of the train set. All is the last size.

    A size that is not below the number of train slates is left out.
    """
    seed = int(params["seed"])
    train, validation = data["train"], data["validation"].judged().sample(VALIDATION_SLATES, seed)
    sizes = [*sorted({n for n in slates if n < len(train.sizes)}), len(train.sizes)]
    rankers: dict[str, Any] = dict(baselines(train.feature_names))
    rows: list[dict[str, Any]] = []
    for n in sizes:
        chosen, started = train.sample(n, seed), time.monotonic()
        fitted = fit(chosen, validation, params, threads)
        minutes = (time.monotonic() - started) / 60
        rankers[_name(n)] = fitted.ranker
        rows.append({"slates": n, "rows": len(chosen.labels), "rounds": fitted.best_round, "fit_minutes": minutes})
        print(f"  {n:,} slates: {fitted.best_round} rounds, {minutes:.1f} min", file=sys.stderr, flush=True)
    evaluation = evaluate(
        rankers, data["test"], seed=seed, resamples=int(params["bootstrap_resamples"]), threads=threads
    )
    best = max((name for name in YARDSTICKS if name in evaluation.per_slate), key=evaluation.mean)
    for before, row in zip([None, *rows], rows, strict=False):
        row |= _judged(evaluation, row["slates"], best, None if before is None else before["slates"])
    judged = int((~np.isnan(evaluation.per_slate[best][DECIDING])).sum())
    return {"metric": DECIDING, "baseline": best, "test_slates": judged, "users": evaluation.users, "sizes": rows}


def markdown(found: Mapping[str, Any]) -> str:
    lines = [
        f"| train slates | rounds | fit, min | {found['metric']} | over {found['baseline']} | over the row above |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in found["sizes"]:
        above = _shown(row["over_smaller"]) if row["over_smaller"] else ""
        cells = [f"{row['slates']:,}", row["rounds"], f"{row['fit_minutes']:.1f}", f"{row['value']:.4f}"]
        lines.append(f"| {' | '.join(map(str, [*cells, _shown(row['over_baseline']), above]))} |")
    return "\n".join([*lines, "", f"{found['test_slates']:,} test slates of {found['users']:,} users."])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.ranker.learning_curve", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--slates", type=int, nargs="+", default=SLATES, help="sizes of the train set beside all")
    parser.add_argument("--json", type=Path, metavar="FILE", help=f"default: training/{FOLDER}.json of the data set")
    arguments = parser.parse_args(argv)
    if min(arguments.slates) < 1:
        parser.error("--slates are at least 1")
    settings = Settings()
    try:
        names = current_contract(settings.dataset, declaration_of(settings)).feature_names
        params = yaml.safe_load(settings.params_file.read_text())["train"]
        data = load_splits(settings.training_dir / TRAINING_SET_FILE, names, levels=Levels.of(params))
        found = learning_curve(data, params, arguments.slates, settings.threads)
    except (DatasetError, BadTrainingSet) as error:
        print(f"training.ranker.learning_curve: {error}", file=sys.stderr)
        return 2
    write_json(arguments.json or settings.training_dir / f"{FOLDER}.json", found)
    print(markdown(found))
    return 0


def _judged(evaluation: Evaluation, slates: int, baseline: str, smaller: int | None) -> dict[str, Any]:
    ours = _name(slates)
    return {
        "value": evaluation.mean(ours),
        "over_baseline": asdict(evaluation.difference(ours, baseline)),
        "over_smaller": None if smaller is None else asdict(evaluation.difference(ours, _name(smaller))),
    }


def _shown(interval: Mapping[str, Any]) -> str:
    return f"{interval['mean']:+.4f} [{interval['low']:+.4f}, {interval['high']:+.4f}]"


def _name(slates: int) -> str:
    return f"trained on {slates}"


if __name__ == "__main__":
    sys.exit(main())
