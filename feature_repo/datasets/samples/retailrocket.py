"""``python -m feature_repo.datasets.samples.retailrocket --out DIR``: files like those of RetailRocket, of any size.

The default number of events is that of the published data set. Popularity follows a power law, sessions are short, and
prices and availability change weekly. Most steps of a session go to one of a few successors of an item, so that a
sequence model can learn.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from tqdm import tqdm

Integers = npt.NDArray[np.int64]

EVENTS, ITEMS, DAYS = 2_756_101, 240_300, 137  # about 235,000 of the items occur in the events
START_MS = 1_430_622_000_000  # 2015-05-03 03:00 UTC
FIRST_SNAPSHOT_MS, WEEK_MS, SNAPSHOTS = START_MS + 7 * 86_400_000, 7 * 86_400_000, 18
DAY_MS = 86_400_000
SUCCESSORS = 8
TO_SUCCESSOR, IN_CATEGORY = 0.62, 0.2  # shares of the steps; the other steps go to any popular item
TO_CART, TO_ORDER = 0.026, 0.33
ITEMS_AT_ONCE = 20_000
OTHER_PROPERTIES = 40  # hashed properties whose meaning is unknown


@dataclass(frozen=True)
class Catalog:
    """Item 0 is the most popular. ids: (n,); category: (n,); successors: (n, SUCCESSORS) items."""

    ids: Integers
    category: Integers
    successors: Integers
    cumulative_share: npt.NDArray[np.float64]  # (n,) popularity shares, summed up to each item
    members: Integers  # (n,) items, category by category, popular ones first
    member_starts: Integers  # (categories + 1,) index in ``members`` where each category starts

    def popular(self, rng: np.random.Generator, count: int) -> Integers:
        return np.searchsorted(self.cumulative_share, rng.random(count)).astype(np.int64)

    def of_category(self, rng: np.random.Generator, category: Integers) -> Integers:
        """One item of each ``category``; popular items are more frequent."""
        start, end = self.member_starts[category], self.member_starts[category + 1]
        return self.members[start + ((end - start) * rng.random(len(category)) ** 2).astype(np.int64)]


def write_sample(out: Path, events: int, items: int, seed: int, other_properties: int = OTHER_PROPERTIES) -> None:
    """Write events.csv, item_properties_part1.csv, item_properties_part2.csv and category_tree.csv into ``out``.

    Each file is complete or absent. There are exactly ``events`` events of at most ``items`` items.
    """
    rng = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    parents = _category_tree(rng, max(4, items // 150))
    catalog = _catalog(rng, items, len(parents))
    _write(out / "category_tree.csv", iter([_tree_table(parents)]))
    _write(out / "events.csv", iter([_events(rng, catalog, events)]))
    half = (items + 1) // 2
    for part, (first, last) in enumerate(((0, half), (half, items)), 1):
        tables = _properties(rng, catalog, first, last, other_properties)
        _write(out / f"item_properties_part{part}.csv", tables)


def _category_tree(rng: np.random.Generator, count: int) -> Integers:
    """(count,) the parent of each category, -1 for a root. A parent has a smaller number than its children."""
    roots = max(1, count // 60)
    parents = (rng.random(count) * np.minimum(np.arange(count), count // 4)).astype(np.int64)
    parents[:roots] = -1
    return parents


def _catalog(rng: np.random.Generator, items: int, categories: int) -> Catalog:
    weights = (np.arange(items) + 10.0) ** -0.85
    # Category sizes differ widely. Each category has at least one item if there are enough items.
    category = np.concatenate([np.arange(min(items, categories)), (categories * rng.random(items) ** 2).astype(int)])
    category = rng.permutation(category[:items])
    members = np.argsort(category, kind="stable")
    catalog = Catalog(
        ids=rng.permutation(2 * items)[:items] + 1,
        category=category,
        successors=np.empty((items, 0), dtype=np.int64),
        cumulative_share=np.cumsum(weights) / weights.sum(),
        members=members,
        member_starts=np.searchsorted(category[members], np.arange(categories + 1)),
    )
    successors = catalog.of_category(rng, np.repeat(category, SUCCESSORS)).reshape(items, SUCCESSORS)
    return Catalog(**{**vars(catalog), "successors": successors})


def _events(rng: np.random.Generator, catalog: Catalog, count: int) -> pa.Table:
    """Sessions, cut off after ``count`` events in total, in shuffled order like the published file."""
    lengths = np.where(rng.random(count) < 0.6, 1, 1 + rng.geometric(0.28, size=count))
    sessions = int(np.searchsorted(np.cumsum(lengths), count)) + 1
    session, item, step = _walks(rng, catalog, lengths[:sessions])
    starts = START_MS + (rng.random(sessions) * DAYS * DAY_MS).astype(np.int64)
    visitor = rng.integers(0, max(1, int(0.8 * sessions)), sessions)
    order = np.lexsort((step, session))
    session, item, step = session[order], item[order], step[order]
    pause = np.minimum(np.exp(rng.normal(3.7, 1.2, len(item))), 1_200) * 1e3
    pause[step == 0] = 0
    elapsed = np.cumsum(pause)
    time = starts[session] + (elapsed - elapsed[np.searchsorted(session, session)]).astype(np.int64)
    cart = rng.random(len(item)) < TO_CART
    order_too = cart & (rng.random(len(item)) < TO_ORDER)
    which = np.concatenate([np.arange(len(item)), np.flatnonzero(cart), np.flatnonzero(order_too)])
    kind = np.repeat([0, 1, 2], [len(item), cart.sum(), order_too.sum()])
    chosen = rng.permutation(np.sort(rng.permutation(len(which))[:count]))
    which, kind = which[chosen], kind[chosen]
    transaction = np.where(kind == 2, np.cumsum(kind == 2), -1)
    return pa.table(
        {
            "timestamp": time[which] + np.array([0, 4_000, 9_000])[kind],
            "visitorid": visitor[session[which]],
            "event": pc.take(pa.array(["view", "addtocart", "transaction"]), pa.array(kind)),
            "itemid": catalog.ids[item[which]],
            "transactionid": pa.array(transaction, mask=transaction < 0),
        }
    )


def _walks(rng: np.random.Generator, catalog: Catalog, lengths: Integers) -> tuple[Integers, Integers, Integers]:
    """(session, item, step) of each view: the first steps of all sessions, then the second ones, and so on."""
    active = np.arange(len(lengths))
    item = catalog.popular(rng, len(lengths))
    parts = []
    for step in range(int(lengths.max(initial=0))):
        continues = lengths[active] > step
        active, item = active[continues], item[continues]
        parts.append((active, item, np.full(len(item), step)))
        item = _next(rng, catalog, item)
    session, items, steps = (np.concatenate(column) for column in zip(*parts, strict=True))
    return session, items, steps


def _next(rng: np.random.Generator, catalog: Catalog, item: Integers) -> Integers:
    draw = rng.random(len(item))
    choice = (SUCCESSORS * rng.random(len(item)) ** 2.5).astype(np.int64)
    nearby = np.where(
        draw < TO_SUCCESSOR, catalog.successors[item, choice], catalog.of_category(rng, catalog.category[item])
    )
    return np.where(draw < TO_SUCCESSOR + IN_CATEGORY, nearby, catalog.popular(rng, len(item)))


def _properties(rng: np.random.Generator, catalog: Catalog, first: int, last: int, others: int) -> Iterator[pa.Table]:
    """The properties of items [first, last), ITEMS_AT_ONCE items at a time."""
    for start in tqdm(range(first, last, ITEMS_AT_ONCE), unit="chunk", desc="properties"):
        items = np.arange(start, min(start + ITEMS_AT_ONCE, last))
        parts = [
            _column(
                rng, catalog, items, "categoryid", 0.002, lambda i: pa.array(catalog.category[i]).cast(pa.string())
            ),
            _column(rng, catalog, items, "available", 0.06, lambda i: _digits(rng.integers(0, 2, len(i)))),
            _column(rng, catalog, items, "790", 0.12, lambda i: _price(rng, len(i))),
            *(_column(rng, catalog, items, str(800 + p), 0.0, lambda i: _hashed(rng, len(i))) for p in range(others)),
        ]
        table = pa.concat_tables(parts)
        yield table.take(pa.array(rng.permutation(table.num_rows)))


def _column(
    rng: np.random.Generator,
    catalog: Catalog,
    items: Integers,
    name: str,
    change: float,
    value: Callable[[Integers], pa.Array],
) -> pa.Table:
    """One property. The first snapshot holds every item; each later one holds a share of ``change`` of them."""
    count = 1 + rng.binomial(SNAPSHOTS - 1, change, len(items))
    row_item = np.repeat(items, count)
    is_first = np.diff(row_item, prepend=-1) != 0
    week = np.where(is_first, 0, rng.integers(1, SNAPSHOTS, len(row_item)))
    return pa.table(
        {
            "timestamp": FIRST_SNAPSHOT_MS + week * WEEK_MS,
            "itemid": catalog.ids[row_item],
            "property": pa.repeat(name, len(row_item)),
            "value": value(row_item),
        }
    )


def _digits(values: Integers) -> pa.Array:
    return pa.array(values).cast(pa.string())


def _price(rng: np.random.Generator, count: int) -> pa.Array:
    amount = _digits((np.exp(rng.normal(9.5, 1.2, count)) // 120 * 120).astype(np.int64).clip(120, 9_000_000))
    return pc.binary_join_element_wise(pa.scalar("n"), amount, pa.scalar(".000"), "")


def _hashed(rng: np.random.Generator, count: int) -> pa.Array:
    """Two hashed words and a number."""
    words = [_digits(rng.integers(1, 1_300_000, count)) for _ in range(2)]
    return pc.binary_join_element_wise(*words, pa.repeat("n48.000", count), " ")


def _tree_table(parents: Integers) -> pa.Table:
    return pa.table({"categoryid": np.arange(len(parents)), "parentid": pa.array(parents, mask=parents < 0)})


def _write(path: Path, tables: Iterator[pa.Table]) -> None:
    """The header and all ``tables``, complete or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        first = next(tables)
        options = pa_csv.WriteOptions(quoting_style="none", quoting_header="none")
        with pa_csv.CSVWriter(partial, first.schema, write_options=options) as writer:
            writer.write_table(first)
            for table in tables:
                writer.write_table(table)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m feature_repo.datasets.samples.retailrocket", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the four CSV files")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--items", type=int, default=ITEMS)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args(argv)
    if arguments.events < 1:
        parser.error("--events must be at least 1")
    if arguments.items < 2:
        parser.error("--items must be at least 2")
    write_sample(arguments.out, arguments.events, arguments.items, arguments.seed)
    print(f"wrote {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
