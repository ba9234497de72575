"""One item as the pages show it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from serving.web.goods.names import brand_name, category_name


@dataclass(frozen=True, slots=True)
class ShopItem:
    """``price``: of one unit, None where unknown. ``popularity``: orders of late. ``facts``: what else the log says."""

    item_id: str
    category_id: str | None = None
    brand: str | None = None
    price: float | None = None
    old_price: float | None = None
    title: str | None = None
    popularity: float = 0.0
    facts: tuple[tuple[str, str], ...] = ()
    is_sold_out: bool = False

    @property
    def category(self) -> str:
        return category_name(self.category_id)

    @property
    def maker(self) -> str | None:
        return brand_name(self.brand)

    @property
    def name(self) -> str:
        """The title, or what the item is and its number."""
        return self.title or f"{self.category} no. {self.item_id}"

    @property
    def is_reduced(self) -> bool:
        return self.price is not None and self.old_price is not None and self.old_price > self.price

    def with_row(self, row: Mapping[str, Any]) -> ShopItem:
        """With what the feature store says of it now; what it does not know stays."""
        return replace(
            self,
            category_id=row.get("category_id") or self.category_id,
            brand=row.get("brand") or self.brand,
            price=_number(row.get("price"), self.price),
            old_price=_number(row.get("old_price"), self.old_price),
            popularity=_number(row.get("orders_28d"), self.popularity) or 0.0,
            is_sold_out=row.get("in_stock") == 0,
        )


def money(value: float | None) -> str:
    """``2.39``; the log names no currency."""
    return "" if value is None else f"{value:,.2f}"


def _number(value: Any, otherwise: float | None) -> float | None:
    return otherwise if value is None or math.isnan(value) else float(value)
