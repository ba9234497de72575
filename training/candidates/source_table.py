"""What each source is worth: the recall of its first candidates, and what the union of all loses without it.

recall = mean over the users who ordered in the window of |ordered items among the candidates| / |ordered items|
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.candidates.item_codes import Codes
from feature_repo.candidates.queries import Queries
from feature_repo.candidates.ragged import Ragged
from feature_repo.candidates.union import Sources, union_of
from infra.models.arrays import Doubles

CUTS = (20, 50, 100, 200, 300)
UNION = "union"


@dataclass(frozen=True)
class Ordered:
    """What each of q users ordered in the window, each item once: ``items[lists.slice(user)]``, at least one each.

    items: (m,) codes; negative for items that no source can know
    """

    lists: Ragged
    items: Codes

    def __post_init__(self) -> None:
        if (self.lists.lengths == 0).any():
            raise ValueError("a user without an order has no recall")


@dataclass(frozen=True)
class SourceRecall:
    """Of one source, or of the union.

    first:    (users, len(CUTS)) recall of the first candidates
    without:  (users, len(CUTS)) of the union without the source; None for the union itself
    per_user: mean number of candidates
    """

    name: str
    first: Doubles
    without: Doubles | None
    per_user: float


def source_recalls(sources: Sources, queries: Queries, ordered: Ordered) -> list[SourceRecall]:
    """Of each source alone, then of the union, in which each source has its size."""
    longest = max([*CUTS, *sources.sizes.values()])
    answers = [source.candidates(queries, longest) for source in sources.sources]
    alone = [answer.first(max(CUTS)) for answer in answers]
    sized = [answer.first(sources.sizes[name]) for name, answer in zip(sources.names, answers, strict=True)]
    union = union_of(sized, queries, sources.limit)
    found = []
    for i, (source, answer) in enumerate(zip(sources.sources, alone, strict=True)):
        others = union_of([*sized[:i], *sized[i + 1 :]], queries, sources.limit)
        found.append(
            SourceRecall(
                source.name,
                recalls(answer.lists, answer.items, ordered),
                recalls(others.lists, others.items, ordered),
                float(answer.lists.lengths.mean()),
            )
        )
    found.append(
        SourceRecall(UNION, recalls(union.lists, union.items, ordered), None, float(union.lists.lengths.mean()))
    )
    return found


def recalls(lists: Ragged, items: Codes, ordered: Ordered) -> Doubles:
    """(users, len(CUTS)) of each user's first candidates, each item at most once per user."""
    width = int(max(items.max(initial=0), ordered.items.max(initial=0))) + 1
    wanted = ordered.items >= 0
    keys = ordered.lists.rows[wanted] * width + ordered.items[wanted]
    hits = np.isin(lists.rows * width + items, keys)
    found = [
        np.bincount(lists.rows[hits & (lists.positions < cut)], minlength=len(ordered.lists)) / ordered.lists.lengths
        for cut in CUTS
    ]
    return np.stack(found, axis=1)


def pooled(windows: Sequence[Sequence[SourceRecall]]) -> list[dict[str, Any]]:
    """One row per source over all windows, each buyer of each window counted once."""
    rows = []
    for name in dict.fromkeys(each.name for window in windows for each in window):
        of_source = [each for window in windows for each in window if each.name == name]
        first = np.concatenate([each.first for each in of_source]).mean(axis=0)
        row: dict[str, Any] = {"source": name, "recall": _by_cut(first)}
        row["per_user"] = float(np.mean([each.per_user for each in of_source]))
        row["by_window"] = [_by_cut(each.first.mean(axis=0)) for each in of_source]
        without = [each.without for each in of_source if each.without is not None]
        if without:
            union = [each for window in windows for each in window if each.name == UNION and _has(window, name)]
            loss = np.concatenate([each.first for each in union]).mean(axis=0) - np.concatenate(without).mean(axis=0)
            row["loss"] = _by_cut(loss)
        rows.append(row)
    return rows


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table: recall at each cut, and in the same order what the union loses without the source."""
    cuts = [str(cut) for cut in CUTS]
    heads = [*(f"first {cut}" for cut in cuts), *(f"loss {cut}" for cut in cuts)]
    lines = [
        f"| source | per user | {' | '.join(heads)} |",
        f"| --- | ---: |{' ---: |' * (2 * len(cuts))}",
    ]
    for row in rows:
        recall = " | ".join(f"{row['recall'][cut]:.4f}" for cut in cuts)
        loss = " | ".join(f"{row['loss'][cut]:+.4f}" if "loss" in row else "" for cut in cuts)
        lines.append(f"| {row['source']} | {row['per_user']:.0f} | {recall} | {loss} |")
    return "\n".join(lines)


def _by_cut(values: Doubles) -> dict[str, float]:
    return {str(cut): float(value) for cut, value in zip(CUTS, values, strict=True)}


def _has(window: Sequence[SourceRecall], name: str) -> bool:
    return any(each.name == name for each in window)
