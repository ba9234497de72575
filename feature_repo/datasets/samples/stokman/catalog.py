"""The catalog of the sample: the real files where a folder with them is given, else a made one; and title vectors.

Popularity follows a power law. A title is a text of token ids; its vector is the mean of the tokens' random vectors, so
that titles with common tokens are near each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.stokman_log.source_files import CATALOG_FILE, MAPPING_FILE

Integers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

DAY_US = 86_400_000_000
START_US = 1_727_740_800_000_000  # 2024-10-01 UTC, the first day of the actions of a made catalog
LAUNCHED_LATER = 0.05  # share of a made catalog's products that are added while people shop
TOKENS, LENGTH = 60_000, 32  # token ids of titles; numbers of a vector
ITEMS_PER_CATEGORY = 60
COMPANIONS = 2


@dataclass(frozen=True)
class Catalog:
    """Row i of the files is product i. A product with a smaller ``rank`` is more popular.

    launch_us:  (n,) since when it can be seen
    companions: (n, COMPANIONS) products that are bought with each
    instead:    (n,) a product that can be seen from the start, if possible of the same category
    members:    (n,) products, category by category, popular ones first
    starts:     (categories + 1,) index in ``members`` where each category starts
    """

    product_id: pa.Array  # (n,) strings
    category_id: pa.Array  # (categories,) strings
    category: Integers  # (n,) its number
    launch_us: Integers
    companions: Integers
    instead: Integers
    members: Integers
    starts: Integers
    popularity: Doubles  # (n,) cumulative shares of ``by_rank``
    by_rank: Integers  # (n,)
    start_us: int  # midnight at which the actions begin

    def popular(self, rng: np.random.Generator, count: int) -> Integers:
        chosen: Integers = np.searchsorted(self.popularity, rng.random(count)).clip(max=len(self.by_rank) - 1)
        return self.by_rank[chosen]

    def of_category(self, rng: np.random.Generator, category: Integers) -> Integers:
        """One product of each ``category``; popular ones are more frequent."""
        start, end = self.starts[category], self.starts[category + 1]
        return self.members[start + ((end - start) * rng.random(len(category)) ** 4).astype(np.int64)]

    def seen_at(self, item: Integers, us: Integers) -> Integers:
        """``item``, and another product where it is not launched yet."""
        return np.where(self.launch_us[item] > us, self.instead[item], item)


def read_tables(folder: Path) -> tuple[pa.Table, pa.Table]:
    """The catalog and the mapping in ``folder``. Raises BadSource if one cannot be read."""
    tables = []
    for name in (CATALOG_FILE, MAPPING_FILE):
        try:
            tables.append(pq.read_table(folder / name))
        except (OSError, pa.ArrowException) as error:
            raise BadSource(folder / name, f"cannot be read: {str(error).splitlines()[0]}") from error
    return tables[0], tables[1]


def made_tables(rng: np.random.Generator, items: int) -> tuple[pa.Table, pa.Table]:
    """A catalog and a mapping like the real ones."""
    categories = max(1, items // ITEMS_PER_CATEGORY)
    category = (categories * rng.random(items) ** 2).astype(np.int64)
    product = (1_000_000 + 7 * np.arange(items)).astype(str)
    price = np.exp(rng.normal(8.3, 0.9, items)).clip(20, 99_000).astype(np.int32) // 10 * 10 + 10
    reduced = rng.random(items) < 0.4
    old_price = np.where(reduced, price * rng.uniform(1.1, 3, items), price).clip(max=99_990).astype(np.int32)
    age_us = rng.integers(1, 200 * DAY_US, items)
    later = rng.random(items) < LAUNCHED_LATER
    added_us = START_US + np.where(later, age_us // 4, -age_us)
    catalog = pa.table(
        {
            "add_date": pa.array(added_us // 1_000_000 * 1_000_000, pa.timestamp("us")),
            "shop_id": pa.array(np.full(items, "350")),
            "product_id": pa.array(product),
            "category_id": pa.array((200 + 11 * category).astype(str)),
            "price": price,
            "title": pa.array(_titles(rng, category)),
            "old_price": old_price,
        }
    )
    return catalog, pa.table({"product_id": product, "vector_id": np.arange(items)})


def _titles(rng: np.random.Generator, category: Integers) -> list[str]:
    """Two tokens of the category, one of a brand, and some of the product's own."""
    own = rng.integers(3_000, TOKENS, (len(category), 3))
    brand = 2_000 + (900 * rng.random(len(category)) ** 2).astype(np.int64)
    tokens = np.column_stack([2 * category % 2_000, (2 * category + 1) % 2_000, brand, own])
    return [" ".join(row) for row in tokens.astype(str).tolist()]


def title_vectors(titles: pa.ChunkedArray, rows: Integers) -> Floats:
    """(len(rows), LENGTH): the vectors of the titles of ``rows``, of length 1."""
    token_vectors = np.random.default_rng(0).standard_normal((1 << 16, LENGTH), dtype=np.float32)
    texts = titles.to_pylist()
    vectors = np.zeros((len(rows), LENGTH), np.float32)
    for number, row in enumerate(rows.tolist()):
        tokens = [int(token) & 0xFFFF for token in (texts[row] or "").split()]
        if tokens:
            vectors[number] = token_vectors[tokens].mean(axis=0)
    length = np.sqrt((vectors**2).sum(axis=1, keepdims=True))
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)


def catalog_of(rng: np.random.Generator, table: pa.Table) -> Catalog:
    """The catalog as arrays. The actions begin after most products were added."""
    category_column = table["category_id"].cast(pa.string()).combine_chunks().fill_null("").dictionary_encode()
    category = category_column.indices.to_numpy().astype(np.int64)
    launch_us = table["add_date"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    n = len(category)
    start_us = int(np.quantile(launch_us, 1 - LAUNCHED_LATER, method="lower")) // DAY_US * DAY_US + DAY_US
    by_rank = rng.permutation(n)
    rank = np.empty(n, np.int64)
    rank[by_rank] = np.arange(n)
    weights = (np.arange(n) + 10.0) ** -1.0
    popularity = np.cumsum(weights) / weights.sum()
    members = np.lexsort((rank, category))
    starts = np.searchsorted(category[members], np.arange(category.max() + 2))
    return Catalog(
        product_id=table["product_id"].cast(pa.string()).combine_chunks(),
        category_id=category_column.dictionary,
        category=category,
        launch_us=launch_us,
        companions=by_rank[np.searchsorted(popularity, rng.random((n, COMPANIONS))).clip(max=n - 1)],
        instead=_instead(category, launch_us <= start_us, members, starts, by_rank),
        members=members,
        starts=starts,
        popularity=popularity,
        by_rank=by_rank,
        start_us=start_us,
    )


def _instead(
    category: Integers, launched: npt.NDArray[np.bool_], members: Integers, starts: Integers, by_rank: Integers
) -> Integers:
    """The most popular launched product of each product's category, else the most popular launched one of all."""
    first = np.full(len(starts) - 1, by_rank[launched[by_rank]][0])
    ready = members[launched[members]]
    found, where = np.unique(category[ready], return_index=True)
    first[found] = ready[where]
    return first[category]
