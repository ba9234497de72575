"""The item columns of many candidates, by kind, and the ttl applied to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_repo.definitions.view import View
from feature_repo.online.redis_format import decoding
from feature_repo.slate import KINDS, ItemRows, Kind, Texts
from serving.ttl import are_valid

Reply = Sequence[bytes | None]
ALWAYS = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class ItemColumns:
    """Which columns of which views lie where in an ItemBlock."""

    views: tuple[View, ...]
    positions: dict[str, tuple[Kind, int]]  # column -> (field of a row, index in it)
    spans: tuple[dict[Kind, slice], ...]  # of each view: field of a row -> its indices in it
    float_names: list[str]
    ttl_us: NDArray[np.int64]  # (views,)
    row: np.dtype[np.void]  # what is stored of one item, contiguous in memory

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
        """An empty one for each column of texts."""
        return tuple(Texts() for kind, _ in self.positions.values() if kind == "numbers")

    def empty(self, n: int, texts: tuple[Texts, ...]) -> ItemBlock:
        """n rows to be filled."""
        return ItemBlock(np.zeros(n, self.row), texts)


@dataclass(frozen=True)
class ItemBlock:
    """The rows of n items, (n,) with these fields. NaN or 0 is null.

    event_us:   (views,) int64, 0 where a view has no row
    valid_us:   (2,) int64, first and last time at which the rows of all its views are valid; (0, ALWAYS) without a row
    timestamps: (i,) float64
    floats:     (f,) float32
    numbers:    (t,) int32, which ``texts`` (t,) translates
    """

    rows: NDArray[np.void]
    texts: tuple[Texts, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def event_us(self) -> NDArray[np.int64]:
        """(n, views)"""
        return self.rows["event_us"]

    @property
    def newest_us(self) -> int:
        """The newest event timestamp of all rows, 0 without a row."""
        return int(self.rows["valid_us"][:, 0].max(initial=0))

    def take(self, positions: NDArray[np.int64]) -> ItemBlock:
        """A copy of some rows, in the order of ``positions``."""
        return ItemBlock(self.rows.take(positions), self.texts)

    def put(self, positions: NDArray[np.int64], block: ItemBlock) -> None:
        """Overwrite the rows at ``positions`` with those of ``block``, in its order."""
        self.rows[positions] = block.rows

    def merged(self, others: ItemBlock, positions: Sequence[int]) -> ItemBlock:
        """The rows of ``others`` at ``positions`` and these rows elsewhere, each in its order."""
        rows = np.empty(len(self) + len(others), self.rows.dtype)
        is_mine = np.ones(len(rows), bool)
        is_mine[positions] = False
        rows[is_mine], rows[~is_mine] = self.rows, others.rows
        return ItemBlock(rows, self.texts)

    @staticmethod
    def joined(blocks: Sequence[ItemBlock]) -> ItemBlock:
        """The blocks one after the other; at least one."""
        return ItemBlock(np.concatenate([block.rows for block in blocks]), blocks[0].texts)

    def grown(self, n: int) -> ItemBlock:
        """n rows, beginning with these."""
        return ItemBlock(np.concatenate([self.rows, np.zeros(n - len(self), self.rows.dtype)]), self.texts)


def decode_items(replies: Sequence[Reply], columns: ItemColumns, texts: tuple[Texts, ...]) -> ItemBlock:
    """``replies``: (n, views + columns), to the commands of :class:`serving.item_cache.hash_layout.HashLayout`.

    Where a view has no row, its columns are null, also if a half-written hash has values. New texts are added to
    ``texts``.
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
    """The columns as known at ``scored_us``, and how many items have no valid row in any view, or one from the future.

    The ttl of item views is applied here (:mod:`serving.ttl`). Invalid values are overwritten in ``block``; the columns
    are views of its memory.
    """
    rows = block.rows
    first_us, last_us = rows["valid_us"][:, 0], rows["valid_us"][:, 1]
    missing = int(np.count_nonzero(first_us <= 0))
    if not int(first_us.max(initial=0)) <= scored_us <= int(last_us.min(initial=ALWAYS)):
        event_us = np.ascontiguousarray(block.event_us.T)  # (views, n): faster than row by row
        valid = are_valid(event_us, columns.ttl_us, scored_us)
        _erase(block, columns, ~valid.T)
        is_ahead = np.logical_or.reduce(event_us > scored_us)
        missing = len(block) - int(np.count_nonzero(np.logical_or.reduce(valid) & ~is_ahead))
    found = ItemRows(
        rows["floats"], rows["timestamps"], rows["numbers"], block.texts, columns.positions, columns.float_names
    )
    return found, missing


def _erase(block: ItemBlock, columns: ItemColumns, where: NDArray[np.bool_]) -> None:
    """Make the values of the views null ``where`` (n, views) is True."""
    for j, spans in enumerate(columns.spans):
        positions = np.flatnonzero(where[:, j])
        if len(positions):
            for kind, span in spans.items():
                block.rows[kind][positions, span] = 0 if kind == "numbers" else np.nan
