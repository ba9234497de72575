from __future__ import annotations

import pytest

from serving.web.goods.names import brand_name, category_name


@pytest.mark.parametrize(
    ("category_id", "shown"),
    [
        ("FRZN MEAT/MEAT DINNERS", "Frozen meat / meat dinners"),
        ("FACIAL TISS/DNR NAPKIN", "Facial tissue / dinner napkin"),
        ("fruit", "Fruit"),
        ("Ice Cream", "Ice Cream"),
        ("home_garden", "Home garden"),
        ("c09", "Category C09"),
        ("1042", "Category 1042"),
        (None, "Everything else"),
    ],
)
def test_a_category_has_a_readable_name(category_id: str | None, shown: str) -> None:
    assert category_name(category_id) == shown


@pytest.mark.parametrize(("brand", "shown"), [("NATIONAL", "National"), ("17", "Brand 17"), (None, None)])
def test_a_brand_has_a_readable_name(brand: str | None, shown: str | None) -> None:
    assert brand_name(brand) == shown
