"""A training set of many candidates -> the one that smaller sources would have made, without asking them again.

What a smaller source lists is the beginning of what a larger one does, and each candidate's rank in each source is a
column. So a candidate stays if a source lists it before the source's new size; the order of the union follows from the
ranks that are left, and with it where it is cut, the position, the size of the list and the price beside the others.

In the split train a share of the negatives was left out before. There each negative that is left counts for as many as
its list lost, so the positions are estimates; in validation they are exact. A source of size 0 remains as columns
without a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from infra.models.arrays import Doubles, Floats, Integers
from training.training_set.ranking_data import RankingData

Kept = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Narrowed:
    """``data``: lists of at least one candidate. ``lists``: (g,) whether each list of the wide data is among them."""

    data: RankingData
    lists: Kept


def narrowed(
    wide: RankingData, sources: Sequence[str], sizes: Mapping[str, int], limit: int, *, positive_only: bool = False
) -> Narrowed:
    """``sources``: in the order of the union. ``sizes``: at most the wide ones; ``limit``: of the union.

    ``positive_only``: leave out lists without a wanted candidate, as the split train does.
    """
    group = np.repeat(np.arange(len(wide.sizes)), wide.sizes)
    best = _best(wide, sources, sizes)
    position, weights = _positions(wide, group, best)
    kept = (best >= 0) & (position < limit)
    if positive_only:
        wanted = np.bincount(group[kept & (wide.labels > 0)], minlength=len(wide.sizes)) > 0
        kept &= wanted[group]
    data = _rows(wide, kept, group)
    group = group[kept]
    matrix = data.matrix
    for j, name in enumerate(wide.feature_names):
        source = next((each for each in sources if name in (f"{each}_score", f"{each}_rank")), None)
        if source is not None:
            outside = ~(wide.column(f"{source}_rank")[kept] < sizes[source])
            matrix[outside, j] = np.nan
    _relative(matrix, wide.feature_names, group, position[kept], weights[kept], len(wide.sizes))
    return Narrowed(data, np.bincount(group, minlength=len(wide.sizes)) > 0)


def _best(wide: RankingData, sources: Sequence[str], sizes: Mapping[str, int]) -> Integers:
    """(n,) by which the union is sorted: rank, then source; -1 for what no source lists any more."""
    none = np.iinfo(np.int64).max
    best = np.full(len(wide.labels), none)
    for i, source in enumerate(sources):
        rank = wide.column(f"{source}_rank")
        listed = rank < sizes[source]
        best[listed] = np.minimum(best[listed], rank[listed].astype(np.int64) * len(sources) + i)
    best[best == none] = -1
    return best


def _positions(wide: RankingData, group: Integers, best: Integers) -> tuple[Integers, Doubles]:
    """(n,) positions in the union, and (n,) how many candidates of the wide list each row stands for."""
    lists = len(wide.sizes)
    positive = wide.labels > 0
    positives = np.bincount(group[positive], minlength=lists)
    negatives = wide.sizes - positives
    whole = wide.column("slate_size")[wide.starts].astype(np.int64)
    per_negative = (whole - positives) / np.maximum(negatives, 1)
    weights = np.where(positive, 1.0, per_negative[group])
    listed = best >= 0
    order = np.lexsort((best, ~listed, group))
    before = np.cumsum(np.where(listed, weights, 0.0)[order])
    before -= np.where(listed, weights, 0.0)[order]
    before -= before[wide.starts][group]
    position = np.empty(len(best), np.int64)
    position[order] = np.rint(before)
    return position, weights


def _rows(wide: RankingData, kept: Kept, group: Integers) -> RankingData:
    sizes = np.bincount(group[kept], minlength=len(wide.sizes))
    lists = sizes > 0
    return replace(
        wide,
        matrix=wide.matrix[kept],
        labels=wide.labels[kept],
        sizes=sizes[lists],
        relevant_total=wide.relevant_total[lists],
        clusters=None if wide.clusters is None else wide.clusters[lists],
        click_through=None,
    )


def _relative(
    matrix: Floats, names: tuple[str, ...], group: Integers, position: Integers, weights: Doubles, lists: int
) -> None:
    """Write the features that depend on the other candidates of the list."""
    matrix[:, names.index("input_position")] = position
    matrix[:, names.index("slate_size")] = np.rint(np.bincount(group, weights, lists))[group]
    price = matrix[:, names.index("price_vs_slate")]
    known = ~np.isnan(price)
    total = np.bincount(group[known], weights[known] * price[known], lists)
    mean = total / np.maximum(np.bincount(group[known], weights[known], lists), 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        price /= mean[group].astype(np.float32)
