"""The item columns of many candidates, by kind, and the ttl applied to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.online import decoding
from feature_repo.schema import DType, View
from feature_repo.slate import ItemRows

MICROSECOND = timedelta(microseconds=1)
Reply = Sequence[bytes | None]


@dataclass(frozen=True)
class ItemColumns:
    """Which columns of which views lie where in an ItemBlock."""

    views: tuple[View, ...]
    kinds: dict[str, tuple[str, int]]  # column -> (array of the block, place in it)
    spans: tuple[dict[str, slice], ...]  # of each view: array of the block -> its places in it
    names: dict[str, list[str]]  # array of the block -> its columns, in their places
    ttl_us: NDArray[np.int64]  # (views,)

    @staticmethod
    def of(views: tuple[View, ...]) -> ItemColumns:
        kinds: dict[str, tuple[str, int]] = {}
        taken = {"floats": 0, "instants": 0, "objects": 0}
        spans = []
        for view in views:
            before = dict(taken)
            for column in view.columns:
                kind = {DType.FLOAT32: "floats", DType.INT64: "instants"}.get(column.dtype, "objects")
                kinds[column.name] = (kind, taken[kind])
                taken[kind] += 1
            spans.append({kind: slice(before[kind], taken[kind]) for kind in taken if taken[kind] > before[kind]})
        names = {kind: [name for name, (its, _) in kinds.items() if its == kind] for kind in taken}
        return ItemColumns(views, kinds, tuple(spans), names, np.array([view.ttl // MICROSECOND for view in views]))

    def width(self, kind: str) -> int:
        return sum(found == kind for found, _ in self.kinds.values())

    @property
    def row_bytes(self) -> int:
        """Of one row's arrays, without the strings that its objects may be."""
        return 4 * self.width("floats") + 8 * (self.width("instants") + self.width("objects") + len(self.views))

    def empty(self, n: int) -> ItemBlock:
        """n rows to be filled."""
        return ItemBlock(
            np.empty((n, self.width("floats")), np.float32),
            np.empty((n, self.width("instants")), np.float64),
            np.empty((n, self.width("objects")), object),
            np.zeros((n, len(self.views)), np.int64),
        )


@dataclass(frozen=True)
class ItemBlock:
    """n items. floats: (n, f) float32; instants: (n, i) float64; objects: (n, o); event_us: (n, views) int64,
    0 where a view has no row. NaN or None is null."""

    floats: NDArray[np.float32]
    instants: NDArray[np.float64]
    objects: NDArray[np.object_]
    event_us: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.event_us)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        return (self.floats, self.instants, self.objects, self.event_us)

    def take(self, rows: NDArray[np.int64]) -> ItemBlock:
        """A copy of some rows, in the order of ``rows``."""
        return ItemBlock(*[array.take(rows, axis=0) for array in self.arrays])

    def put(self, rows: NDArray[np.int64], block: ItemBlock) -> None:
        """Overwrite ``rows`` by those of ``block``, in its order."""
        for mine, others in zip(self.arrays, block.arrays, strict=True):
            mine[rows] = others

    def merged(self, others: ItemBlock, is_mine: NDArray[np.bool_]) -> ItemBlock:
        """Mine where ``is_mine`` (n,), the others' elsewhere, each in its order."""
        order = np.empty(len(is_mine), np.int64)
        order[is_mine] = np.arange(len(self))
        order[~is_mine] = np.arange(len(others)) + len(self)
        pairs = zip(self.arrays, others.arrays, strict=True)
        return ItemBlock(*(np.concatenate([mine, theirs])[order] for mine, theirs in pairs))

    @staticmethod
    def joined(blocks: Sequence[ItemBlock]) -> ItemBlock:
        """One after the other; at least one."""
        return ItemBlock(*(np.concatenate(arrays) for arrays in zip(*(block.arrays for block in blocks), strict=True)))

    def grown(self, n: int) -> ItemBlock:
        """n rows, the first of which are mine."""
        return ItemBlock(*(np.concatenate([a, np.zeros((n - len(a), a.shape[1]), a.dtype)]) for a in self.arrays))


def decode_items(replies: Sequence[Reply], columns: ItemColumns) -> ItemBlock:
    """``replies``: (n, views + columns), as :class:`serving.hash_layout.HashLayout` asks for them.

    Where a view has no row, its columns are null, whatever a half-written hash may hold.
    """
    block, stamps = columns.empty(len(replies)), len(columns.views)
    by_field = list(zip(*replies, strict=True))
    for j in range(stamps):
        block.event_us[:, j] = decoding.event_us(by_field[j])
    dtypes = {column.name: column.dtype for view in columns.views for column in view.columns}
    for field, (name, (kind, place)) in zip(by_field[stamps:], columns.kinds.items(), strict=True):
        getattr(block, kind)[:, place] = decoding.array(field, dtypes[name])
    _erase(block, columns, block.event_us <= 0)
    return block


def columns_at(block: ItemBlock, columns: ItemColumns, scored_us: int) -> tuple[ItemRows, int]:
    """Column -> (n,) values as known at ``scored_us``, and how many items have no valid row in any view.

    A row counts from its event timestamp until its view's ttl later, both inclusive. What is not valid is overwritten
    in ``block``, of which the columns are parts.
    """
    age_us = scored_us - block.event_us  # (n, views)
    present = block.event_us > 0
    invalid = present & ((age_us < 0) | (age_us > columns.ttl_us))
    if invalid.any():
        _erase(block, columns, invalid)
        present &= ~invalid
    found = ItemRows(columns.names["floats"], block.floats)
    for kind, names in columns.names.items():
        found.update(zip(names, getattr(block, kind).T, strict=True))
    return found, len(block) - int(np.count_nonzero(present.any(axis=1)))


def _erase(block: ItemBlock, columns: ItemColumns, where: NDArray[np.bool_]) -> None:
    """Make null what is in the views of the items ``where`` (n, views)."""
    for j, spans in enumerate(columns.spans):
        rows = np.flatnonzero(where[:, j])
        if len(rows):
            for kind, span in spans.items():
                getattr(block, kind)[rows, span] = None if kind == "objects" else np.nan
