"""The rankers' metrics as a Markdown table."""

from __future__ import annotations

from collections.abc import Mapping

from training.metrics import METRICS


def metrics_table(rankers: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """One row a ranker, best NDCG@10 first; each cell is mean [low, high]."""
    lines = [f"| ranker | {' | '.join(METRICS)} |", "|---" * (len(METRICS) + 1) + "|"]
    for name in sorted(rankers, key=lambda name: -rankers[name]["ndcg@10"]["mean"]):
        cells = (rankers[name][metric] for metric in METRICS)
        lines.append(
            f"| {name} | " + " | ".join(f"{c['mean']:.3f} [{c['low']:.3f}, {c['high']:.3f}]" for c in cells) + " |"
        )
    return "\n".join(lines)
