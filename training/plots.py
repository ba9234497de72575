"""Figures of a training run, each a pure function from its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure


def _figure(title: str, height: float = 3.6) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.2, height), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title)
    return figure, axes


def ranker_metrics(rankers: Mapping[str, Mapping[str, Mapping[str, float]]], metric: str) -> Figure:
    """One bar a ranker with its 95 % interval."""
    figure, axes = _figure(f"{metric} on the test slates, 95 % intervals")
    names = sorted(rankers, key=lambda name: rankers[name][metric]["mean"])
    means = [rankers[name][metric]["mean"] for name in names]
    errors = [
        [mean - rankers[name][metric]["low"] for mean, name in zip(means, names, strict=True)],
        [rankers[name][metric]["high"] - mean for mean, name in zip(means, names, strict=True)],
    ]
    axes.barh(names, means, xerr=errors, color="#4472a8", ecolor="#222222", capsize=3)
    axes.set_xlabel(metric)
    return figure


def importance(rows: Sequence[Mapping[str, str]], most: int = 25) -> Figure:
    top = sorted(rows, key=lambda row: float(row["gain"]))[-most:]
    figure, axes = _figure(f"Gain of the {len(top)} strongest features", height=6.0)
    axes.barh([row["feature"] for row in top], [float(row["gain"]) for row in top], color="#4472a8")
    axes.set_xlabel("total gain")
    return figure


def learning_curve(rows: Sequence[Mapping[str, str]], best_round: int) -> Figure:
    figure, axes = _figure("NDCG@10 by boosting round")
    rounds = [int(row["round"]) for row in rows]
    for name in ("train", "validation"):
        axes.plot(rounds, [float(row[name]) for row in rows], label=name)
    axes.axvline(best_round, color="#888888", linestyle=":", label="best round")
    axes.set_xlabel("round")
    axes.legend()
    return figure


def calibration(rows: Sequence[Mapping[str, str]]) -> Figure:
    figure, axes = _figure("Calibration: share of positives by tenth of the score")
    predicted = [float(row["predicted"]) for row in rows]
    observed = [float(row["observed"]) for row in rows]
    limit = max(*predicted, *observed, 1e-9)
    axes.plot([0, limit], [0, limit], color="#888888", linestyle=":")
    axes.plot(predicted, observed, marker="o", color="#4472a8")
    axes.set_xlabel("predicted (Platt scaling of the validation split)")
    axes.set_ylabel("observed in the test split")
    return figure


def slices(groups: Mapping[str, Mapping[str, float]], title: str, unit: str) -> Figure:
    figure, axes = _figure(title)
    names = [name for name, value in groups.items() if value["slates"]]
    means = [groups[name]["mean"] for name in names]
    axes.errorbar(
        range(len(names)),
        means,
        yerr=[
            [m - groups[n]["low"] for m, n in zip(means, names, strict=True)],
            [groups[n]["high"] - m for m, n in zip(means, names, strict=True)],
        ],
        marker="o",
        linestyle="none",
        capsize=3,
    )
    axes.set_xticks(range(len(names)), [f"{name}\n({groups[name]['slates']:.0f})" for name in names])
    axes.set_ylabel(unit)
    return figure
