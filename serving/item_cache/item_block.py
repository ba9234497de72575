"""The item columns of many candidates, by kind, and the ttl applied to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo.online.redis_format import decoding
from feature_repo.schema import DType, View
from feature_repo.slate import ItemRows, Kind, Texts

Reply = Sequence[bytes | None]
Bounds = tuple[int, int, int]
"""Of some rows: from when to when all of them count, µs since the epoch, and how many have no row in any view."""

ALWAYS = int(np.iinfo(np.int64).max)
KINDS: dict[DType, Kind] = {DType.FLOAT32: "floats", DType.INT64: "timestamps", DType.STRING: "numbers"}


@dataclass(frozen=True)
class ItemColumns:
    """Which columns of which views lie where in an ItemBlock."""

    views: tuple[View, ...]
    positions: dict[str, tuple[Kind, int]]  # column -> (field of a row, place in it)
    spans: tuple[dict[Kind, slice], ...]  # of each view: field of a row -> its places in it
    float_names: list[str]
    ttl_us: NDArray[np.int64]  # (views,)
    row: np.dtype[np.void]  # what is kept of one item, in one piece of memory

    @staticmethod
    def of(views: tuple[View, ...]) -> ItemColumns:
        positions: dict[str, tuple[Kind, int]] = {}
        taken: dict[Kind, int] = {"floats": 0, "timestamps": 0, "numbers": 0}
        spans = []
        for view in views:
            before = dict(taken)
            for column in view.columns:
                kind = KINDS[column.dtype]
                positions[column.name] = (kind, taken[kind])
                taken[kind] += 1
            spans.append({kind: slice(before[kind], taken[kind]) for kind in taken if taken[kind] > before[kind]})
        fields: list[tuple[str, type[np.generic], int]] = [
            ("event_us", np.int64, len(views)),
            ("valid_us", np.int64, 2),
            ("timestamps", np.float64, taken["timestamps"]),
            ("floats", np.float32, taken["floats"]),
            ("numbers", np.int32, taken["numbers"]),
        ]
        return ItemColumns(
            views,
            positions,
            tuple(spans),
            [name for name, (kind, _) in positions.items() if kind == "floats"],
            np.array([view.ttl_us for view in views]),
            np.dtype([(name, dtype, (width,)) for name, dtype, width in fields], align=True),
        )

    def no_texts(self) -> tuple[Texts, ...]:
        """For each column of texts."""
        return tuple(Texts() for kind, _ in self.positions.values() if kind == "numbers")

    def empty(self, n: int, texts: tuple[Texts, ...]) -> ItemBlock:
        """n rows to be filled."""
        return ItemBlock(np.zeros(n, self.row), texts)


@dataclass(frozen=True)
class ItemBlock:
    """n items. ``rows``: (n,), of fields event_us (views,) int64, 0 where a view has no row; valid_us (2,) int64:
    from when to when all of its views' rows count, which may be at no time, (0, ALWAYS) without any; instants (i,)
    float64; floats (f,) float32; numbers (t,) int32, of (t,) ``texts``. NaN or 0 is null. ``bounds``: of all rows
    as they came, where somebody has them already."""

    rows: NDArray[np.void]
    texts: tuple[Texts, ...]
    bounds: Bounds | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def event_us(self) -> NDArray[np.int64]:
        """(n, views)"""
        return self.rows["event_us"]

    def take(self, positions: NDArray[np.int64]) -> ItemBlock:
        """A copy of some rows, in the order of ``positions``."""
        return ItemBlock(self.rows.take(positions), self.texts)

    def put(self, positions: NDArray[np.int64], block: ItemBlock) -> None:
        """Overwrite the rows at ``positions`` by those of ``block``, in its order."""
        self.rows[positions] = block.rows

    def merged(self, others: ItemBlock, positions: Sequence[int]) -> ItemBlock:
        """The others at ``positions``, mine elsewhere, each in its order."""
        rows = np.empty(len(self) + len(others), self.rows.dtype)
        is_mine = np.ones(len(rows), bool)
        is_mine[positions] = False
        rows[is_mine], rows[~is_mine] = self.rows, others.rows
        return ItemBlock(rows, self.texts)

    @staticmethod
    def joined(blocks: Sequence[ItemBlock]) -> ItemBlock:
        """One after the other; at least one."""
        return ItemBlock(np.concatenate([block.rows for block in blocks]), blocks[0].texts)

    def grown(self, n: int) -> ItemBlock:
        """n rows, the first of which are mine."""
        return ItemBlock(np.concatenate([self.rows, np.zeros(n - len(self), self.rows.dtype)]), self.texts)


def decode_items(replies: Sequence[Reply], columns: ItemColumns, texts: tuple[Texts, ...]) -> ItemBlock:
    """``replies``: (n, views + columns), as :class:`serving.item_cache.hash_layout.HashLayout` asks for them.

    Where a view has no row, its columns are null, whatever a half-written hash may hold. ``texts`` learn new ones.
    """
    block, timestamps = columns.empty(len(replies), texts), len(columns.views)
    by_field = list(zip(*replies, strict=True))
    for j in range(timestamps):
        block.event_us[:, j] = decoding.event_us(by_field[j])
    dtypes = {column.name: column.dtype for view in columns.views for column in view.columns}
    for stored, (name, (kind, position)) in zip(by_field[timestamps:], columns.positions.items(), strict=True):
        values = decoding.array(stored, dtypes[name])
        block.rows[kind][:, position] = texts[position].numbers(values.tolist()) if kind == "numbers" else values
    _erase(block, columns, block.event_us <= 0)
    until_us = np.where(block.event_us > 0, block.event_us + columns.ttl_us, ALWAYS)
    block.rows["valid_us"][:, 0] = block.event_us.max(axis=1, initial=0)
    block.rows["valid_us"][:, 1] = until_us.min(axis=1, initial=ALWAYS)
    return block


def columns_at(block: ItemBlock, columns: ItemColumns, scored_us: int) -> tuple[ItemRows, int]:
    """The columns as known at ``scored_us``, and how many items have no valid row in any view.

    A row counts from its event timestamp until its view's ttl later, both inclusive. What is not valid is overwritten
    in ``block``, of which the columns are parts.
    """
    rows = block.rows
    since_us, until_us, missing = block.bounds or bounds_of(rows)
    if not since_us <= scored_us <= until_us:
        event_us = np.ascontiguousarray(block.event_us.T)  # (views, n): row by row all takes longer
        valid = (event_us >= np.maximum(scored_us - columns.ttl_us, 1)[:, None]) & (event_us <= scored_us)
        _erase(block, columns, ~valid.T)
        missing = len(block) - int(np.count_nonzero(np.logical_or.reduce(valid)))
    found = ItemRows(
        rows["floats"], rows["timestamps"], rows["numbers"], block.texts, columns.positions, columns.float_names
    )
    return found, missing


def bounds_of(rows: NDArray[np.void]) -> Bounds:
    first_us, last_us = rows["valid_us"][:, 0], rows["valid_us"][:, 1]
    return int(first_us.max(initial=0)), int(last_us.min(initial=ALWAYS)), int(np.count_nonzero(first_us <= 0))


def _erase(block: ItemBlock, columns: ItemColumns, where: NDArray[np.bool_]) -> None:
    """Make null what is in the views of the items ``where`` (n, views)."""
    for j, spans in enumerate(columns.spans):
        positions = np.flatnonzero(where[:, j])
        if len(positions):
            for kind, span in spans.items():
                block.rows[kind][positions, span] = 0 if kind == "numbers" else np.nan
