"""All items of the log in memory: by id, by category, and by the words that they are found with.

Read once, when the shop opens. What changed since is in the feature store, and the pages lay it over
(:meth:`serving.web.goods.items.ShopItem.with_row`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from feature_repo.schema import Declaration, DType
from infra.duckdb_connection import connect
from infra.settings import Settings
from serving.web.goods.items import ShopItem
from serving.web.goods.names import brand_name, category_name

TITLES = ("title", "name", "product_name", "item_name")
POPULAR_DAYS = 28
MAX_WORDS = 8

_ITEMS = """
SELECT item_id, category_id, brand, CAST(price AS DOUBLE) AS price, CAST(old_price AS DOUBLE) AS old_price {extras},
    coalesce(popularity, 0.0) AS popularity
FROM (
    SELECT * FROM read_parquet($items)
    QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY valid_from_ts DESC) = 1
)
LEFT JOIN (
    SELECT item_id, sum(CASE action WHEN 'order' THEN 1.0 WHEN 'add_to_cart' THEN 0.1 ELSE 0.01 END) AS popularity
    FROM read_parquet($events)
    WHERE item_id IS NOT NULL AND action <> 'impression'
        AND event_ts > (SELECT max(event_ts) FROM read_parquet($events)) - to_days($days)
    GROUP BY item_id
) USING (item_id)
ORDER BY popularity DESC, item_id
"""


@dataclass(frozen=True)
class Category:
    """``many``: how many items it has."""

    category_id: str
    name: str
    many: int
    popularity: float


@dataclass(frozen=True)
class Catalogue:
    """``items``: the most popular first. ``problem``: why there are none."""

    items: Sequence[ShopItem] = ()
    problem: str = ""
    _rows: dict[str, int] = field(init=False, repr=False, default_factory=dict)
    _of_category: dict[str | None, list[int]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        for row, item in enumerate(self.items):
            self._rows[item.item_id] = row
            self._of_category.setdefault(item.category_id, []).append(row)

    def __len__(self) -> int:
        return len(self.items)

    def get(self, item_id: str) -> ShopItem | None:
        row = self._rows.get(item_id)
        return None if row is None else self.items[row]

    def item(self, item_id: str) -> ShopItem:
        """Also one that came after the log was written."""
        return self.get(item_id) or ShopItem(item_id)

    def popular(self, k: int) -> list[str]:
        return [item.item_id for item in self.items[:k]]

    def of_category(self, category_id: str, k: int) -> list[str]:
        """The ``k`` most popular of it; none for an unknown category."""
        return [self.items[row].item_id for row in self._of_category.get(category_id, ())[:k]]

    def category(self, category_id: str) -> Category | None:
        return next((each for each in self.categories if each.category_id == category_id), None)

    @cached_property
    def categories(self) -> Sequence[Category]:
        """The most popular first."""
        found = [
            Category(name, category_name(name), len(rows), sum(self.items[row].popularity for row in rows))
            for name, rows in self._of_category.items()
            if name is not None
        ]
        return sorted(found, key=lambda each: (-each.popularity, each.category_id))

    def search(self, query: str, k: int) -> list[str]:
        """The ``k`` most popular items with all words of ``query``, or words that begin so; or the item of this id."""
        exact = self.get(query.strip())
        if exact is not None:
            return [exact.item_id]
        wanted = words_of(query)[:MAX_WORDS]
        if not wanted:
            return []
        rows = set.intersection(*(self._rows_with(word) for word in wanted))
        return [self.items[row].item_id for row in sorted(rows)[:k]]

    def _rows_with(self, start: str) -> set[int]:
        words, rows_of = self._index
        found: set[int] = set()
        for word in words[bisect_left(words, start) :]:
            if not word.startswith(start):
                break
            found.update(rows_of[word])
        return found

    @cached_property
    def _index(self) -> tuple[list[str], dict[str, list[int]]]:
        """All words in order, and word -> rows."""
        rows_of: dict[str, list[int]] = {}
        known: dict[tuple[str | None, str | None], list[str]] = {}
        for row, item in enumerate(self.items):
            key = (item.category_id, item.brand)
            if key not in known:
                known[key] = words_of(f"{item.category} {item.category_id or ''} {brand_name(item.brand) or ''}")
            more = words_of(item.title) if item.title else ()
            for word in {*known[key], *more}:
                rows_of.setdefault(word, []).append(row)
        return sorted(rows_of), rows_of


def words_of(text: str) -> list[str]:
    """Each once, in lower case, in order."""
    return list(dict.fromkeys(re.findall(r"\w+", text.casefold())))


def read_catalogue(settings: Settings, declaration: Declaration) -> Catalogue:
    """Blocks for a second or so. A log that cannot be read gives an empty catalogue that says why."""
    paths = {name: settings.log_dir / f"{name}.parquet" for name in ("items", "events")}
    missing = [str(path) for path in paths.values() if not path.is_file()]
    if missing:
        return Catalogue(problem=f"{missing[0]} does not exist: build the data set first (make pipeline)")
    extras = declaration.item_extras
    title = next((c.name for name in TITLES for c in extras if c.name == name and c.dtype is DType.STRING), None)
    sql = _ITEMS.format(extras="".join(f', "{column.name}"' for column in extras))
    with connect(settings) as connection:
        parameters = {"items": str(paths["items"]), "events": str(paths["events"]), "days": POPULAR_DAYS}
        table = connection.sql(sql, params=parameters).to_arrow_table()
    shown = [column for column in extras if column.name != title]
    labels = [(column.name, _label(column.name), column.unit) for column in shown]
    batches: Iterable[dict[str, Any]] = (row for batch in table.to_batches() for row in batch.to_pylist())
    return Catalogue([_item(row, title, labels) for row in batches])


def _item(row: dict[str, Any], title: str | None, labels: Sequence[tuple[str, str, str]]) -> ShopItem:
    known = ((label, _fact(row[name], unit)) for name, label, unit in labels)
    return ShopItem(
        item_id=row["item_id"],
        category_id=row["category_id"],
        brand=row["brand"],
        price=row["price"],
        old_price=row["old_price"],
        title=row[title] if title else None,
        popularity=row["popularity"],
        facts=tuple((label, value) for label, value in known if value),
    )


def _label(column: str) -> str:
    return column.removeprefix("is_").replace("_", " ").capitalize()


def _fact(value: Any, unit: str) -> str:
    """Empty where it is unknown."""
    if value is None or value != value:  # NaN
        return ""
    if unit == "flag":
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:.3g}"
