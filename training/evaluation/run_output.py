"""Writes all files of a training run (:mod:`training.evaluation.run_files`) at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.models.ranker import LightGbmRanker, score_groups
from training.evaluation.ranker_evaluation import Evaluation, calibration, coldness_slices
from training.evaluation.run_files import write_csv, write_json
from training.training_set.ranking_data import RankingData


def write_run(
    final: Path,
    metrics: dict[str, Any],
    curve: Mapping[str, list[float]],
    ranker: LightGbmRanker,
    data: dict[str, RankingData],
    evaluation: Evaluation,
    threads: int,
) -> Path:
    """Write all files of the run to the folder ``final``, atomically. Returns it."""
    folder = final.with_name(f".{final.name}.{os.getpid()}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    scores = {
        name: score_groups(ranker, data[name].matrix, data[name].sizes, threads) for name in ("validation", "test")
    }
    slices = coldness_slices(scores["test"], data["test"], seed=evaluation.seed, resamples=evaluation.resamples)
    gain, splits = (ranker.booster.feature_importance(kind) for kind in ("gain", "split"))
    write_json(folder / "metrics.json", metrics)
    write_json(folder / "slices.json", slices)
    levels = {name: len(texts) for name, texts in ranker.vocabulary.texts.items()}
    write_csv(
        folder / "importance.csv",
        [
            {"feature": name, "gain": float(g), "split": int(s), "levels": levels.get(name, "")}
            for name, g, s in zip(ranker.feature_names, gain, splits, strict=True)
        ],
    )
    points = zip(curve["iteration"], curve["train"], curve["validation"], strict=True)
    write_csv(
        folder / "learning_curve.csv",
        [{"iteration": i, "train_metric": t, "validation_metric": v} for i, t, v in points],
    )
    write_csv(
        folder / "calibration.csv",
        calibration((scores["validation"], data["validation"]), (scores["test"], data["test"])),
    )
    shutil.rmtree(final, ignore_errors=True)
    folder.rename(final)
    return final
