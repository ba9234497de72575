"""The item columns of many candidates, by kind, and the ttl applied to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.online import decoding
from feature_repo.schema import DType, View
from feature_repo.slate import ItemRows, Kind, Texts

Reply = Sequence[bytes | None]
Field = tuple[np.dtype[Any], int, int]
"""Of a row: the type of its numbers, how many there are, and at which byte they begin."""
Bounds = tuple[int, int, int]
"""Of some rows: from when to when all of them count, µs since the epoch, and how many have no row in any view."""

ALWAYS = int(np.iinfo(np.int64).max)
FIELDS = ("event_us", "valid_us", "instants", "floats", "numbers")  # of a block, and of what is kept of one item
KINDS: dict[DType, Kind] = {DType.FLOAT32: "floats", DType.INT64: "instants", DType.STRING: "numbers"}


@dataclass(frozen=True)
class ItemColumns:
    """Which columns of which views lie where in an ItemBlock."""

    views: tuple[View, ...]
    places: dict[str, tuple[Kind, int]]  # column -> (field of a block, place in it)
    spans: tuple[dict[Kind, slice], ...]  # of each view: field of a block -> its places in it
    float_names: list[str]
    ttl_us: NDArray[np.int64]  # (views,)
    row: np.dtype[np.void]  # what is kept of one item, in one piece of memory: a block's fields, in their order

    @staticmethod
    def of(views: tuple[View, ...]) -> ItemColumns:
        places: dict[str, tuple[Kind, int]] = {}
        taken: dict[Kind, int] = {"floats": 0, "instants": 0, "numbers": 0}
        spans = []
        for view in views:
            before = dict(taken)
            for column in view.columns:
                kind = KINDS[column.dtype]
                places[column.name] = (kind, taken[kind])
                taken[kind] += 1
            spans.append({kind: slice(before[kind], taken[kind]) for kind in taken if taken[kind] > before[kind]})
        fields: list[tuple[str, type[np.generic], int]] = [
            ("event_us", np.int64, len(views)),
            ("valid_us", np.int64, 2),
            ("instants", np.float64, taken["instants"]),
            ("floats", np.float32, taken["floats"]),
            ("numbers", np.int32, taken["numbers"]),
        ]  # the wider ones first, so that nothing but the row's end is padded
        return ItemColumns(
            views,
            places,
            tuple(spans),
            [name for name, (kind, _) in places.items() if kind == "floats"],
            np.array([view.ttl_us for view in views]),
            np.dtype([(name, dtype, (width,)) for name, dtype, width in fields], align=True),
        )

    def no_texts(self) -> tuple[Texts, ...]:
        """For each column of texts."""
        return tuple(Texts() for kind, _ in self.places.values() if kind == "numbers")

    def empty(self, n: int, texts: tuple[Texts, ...]) -> ItemBlock:
        """n items to be filled."""
        return self.block(np.zeros(n * self.row.itemsize, np.uint8), n, texts)

    def block(
        self, data: NDArray[np.uint8], n: int, texts: tuple[Texts, ...], bounds: Bounds | None = None
    ) -> ItemBlock:
        """n items in ``data``, (n * row.itemsize,): n values of each number of a row, in the row's order."""
        return _block(
            (np.ndarray((width, n), kind, data, n * start) for kind, width, start in self._fields), texts, bounds
        )

    @cached_property
    def _fields(self) -> list[Field]:
        return list(fields_of(self.row).values())

    def block_of(self, rows: NDArray[np.void], texts: tuple[Texts, ...]) -> ItemBlock:
        """A copy of the items in ``rows``, (n,) as they are kept."""
        return _block((np.ascontiguousarray(rows[name].T) for name in FIELDS), texts)


@dataclass(frozen=True)
class ItemBlock:
    """n items, column by column in memory. ``event_us``: (views, n) int64, 0 where a view has no row; ``valid_us``:
    (2, n) int64, from when to when all of an item's rows count, which may be at no time, (0, ALWAYS) without any;
    ``instants``: (i, n) float64; ``floats``: (f, n) float32; ``numbers``: (t, n) int32, of (t,) ``texts``. NaN or 0 is
    null. ``bounds``: of all items as they came, where somebody has them already."""

    event_us: NDArray[np.int64]
    valid_us: NDArray[np.int64]
    instants: NDArray[np.float64]
    floats: NDArray[np.float32]
    numbers: NDArray[np.int32]
    texts: tuple[Texts, ...]
    bounds: Bounds | None = None

    def __len__(self) -> int:
        return len(self.event_us[0])

    def put(self, rows: NDArray[np.void], places: NDArray[np.int64]) -> None:
        """Overwrite the ``rows`` at ``places`` by my items, in their order."""
        for name in FIELDS:
            rows[name][places] = getattr(self, name).T

    def take(self, places: NDArray[np.int64]) -> ItemBlock:
        """A copy of some items, in the order of ``places``."""
        return _block((getattr(self, name).take(places, axis=1) for name in FIELDS), self.texts)

    def merged(self, others: ItemBlock, places: Sequence[int]) -> ItemBlock:
        """The others at ``places``, mine elsewhere, each in its order."""
        if not len(self):
            return others
        is_mine = np.ones(len(self) + len(others), bool)
        is_mine[places] = False
        order = np.empty(len(is_mine), np.int64)
        order[is_mine], order[~is_mine] = np.arange(len(self)), np.arange(len(self), len(is_mine))
        return ItemBlock.joined([self, others]).take(order)

    @staticmethod
    def joined(blocks: Sequence[ItemBlock]) -> ItemBlock:
        """One after the other; at least one."""
        parts = (np.concatenate([getattr(block, name) for block in blocks], axis=1) for name in FIELDS)
        return _block(parts, blocks[0].texts)


def _block(parts: Iterable[NDArray[Any]], texts: tuple[Texts, ...], bounds: Bounds | None = None) -> ItemBlock:
    """``parts``: the FIELDS."""
    event_us, valid_us, instants, floats, numbers = parts
    return ItemBlock(event_us, valid_us, instants, floats, numbers, texts, bounds)


def decode_items(replies: Sequence[Reply], columns: ItemColumns, texts: tuple[Texts, ...]) -> ItemBlock:
    """``replies``: (n, views + columns), as :class:`serving.hash_layout.HashLayout` asks for them.

    Where a view has no row, its columns are null, whatever a half-written hash may hold. ``texts`` learn new ones.
    """
    block, stamps = columns.empty(len(replies), texts), len(columns.views)
    by_field = list(zip(*replies, strict=True))
    for j in range(stamps):
        block.event_us[j] = decoding.event_us(by_field[j])
    dtypes = {column.name: column.dtype for view in columns.views for column in view.columns}
    for stored, (name, (kind, place)) in zip(by_field[stamps:], columns.places.items(), strict=True):
        values = decoding.array(stored, dtypes[name])
        getattr(block, kind)[place] = texts[place].numbers(values.tolist()) if kind == "numbers" else values
    _erase(block, columns, block.event_us <= 0)
    until_us = np.where(block.event_us > 0, block.event_us + columns.ttl_us[:, None], ALWAYS)
    block.valid_us[0] = block.event_us.max(axis=0, initial=0)
    block.valid_us[1] = until_us.min(axis=0, initial=ALWAYS)
    return block


def columns_at(block: ItemBlock, columns: ItemColumns, scored_us: int) -> tuple[ItemRows, int]:
    """The columns as known at ``scored_us``, and how many items have no valid row in any view.

    A row counts from its event timestamp until its view's ttl later, both inclusive. What is not valid is overwritten
    in ``block``, of which the columns are parts.
    """
    since_us, until_us, missing = block.bounds or bounds_of(block.valid_us)
    if not since_us <= scored_us <= until_us:
        first_us = np.maximum(scored_us - columns.ttl_us, 1)[:, None]  # of a row that still counts
        valid = (block.event_us >= first_us) & (block.event_us <= scored_us)
        _erase(block, columns, ~valid)
        missing = len(block) - int(np.count_nonzero(np.logical_or.reduce(valid)))
    found = ItemRows(block.floats, block.instants, block.numbers, block.texts, columns.places, columns.float_names)
    return found, missing


def fields_of(row: np.dtype[np.void]) -> dict[str, Field]:
    """In their order. ``row``: of :class:`ItemColumns`."""
    assert row.fields is not None
    return {name: (row.fields[name][0].base, row.fields[name][0].shape[0], row.fields[name][1]) for name in FIELDS}


def bounds_of(valid_us: NDArray[np.int64]) -> Bounds:
    """``valid_us``: (2, n)"""
    first_us, last_us = valid_us
    return int(first_us.max(initial=0)), int(last_us.min(initial=ALWAYS)), int(np.count_nonzero(first_us <= 0))


def _erase(block: ItemBlock, columns: ItemColumns, where: NDArray[np.bool_]) -> None:
    """Make null what is in the views of the items ``where`` (views, n)."""
    for spans, items in zip(columns.spans, where, strict=True):
        places = np.flatnonzero(items)
        if len(places):
            for kind, span in spans.items():
                getattr(block, kind)[span, places] = 0 if kind == "numbers" else np.nan
