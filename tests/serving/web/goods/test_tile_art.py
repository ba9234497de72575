from __future__ import annotations

from xml.etree import ElementTree

import pytest

from serving.web.goods.items import ShopItem
from serving.web.goods.tile_art import HUES, PATTERNS, SHAPES, art, shape_of
from serving.web.rendering import HERE

ITEMS = [ShopItem(str(number), category_id=category) for number in range(200) for category in ("BEEF", "c03")]


@pytest.mark.parametrize(
    ("category", "shape"),
    [("Fluid milk products", "carton"), ("Eggs", "carton"), ("Frozen pizza", "box"), ("Beers / ales", "bottle"),
     ("Peppers-all", "fruit"), ("Bag snacks", "bag")],
)  # fmt: skip
def test_a_category_with_a_known_word_is_packed_as_its_goods_are(category: str, shape: str) -> None:
    assert shape_of(category) == shape


def test_every_shape_and_pattern_is_in_the_sprite_of_the_pages() -> None:
    sprite = ElementTree.parse(HERE / "templates" / "sprite.svg")
    ids = {element.get("id") for element in sprite.iter() if element.get("id")}
    assert {f"s-{shape}" for shape in SHAPES} | {f"p-{pattern}" for pattern in PATTERNS} <= ids
    assert HUES.keys() == set(SHAPES)


def test_the_picture_of_an_item_is_always_the_same_and_items_of_one_category_look_different() -> None:
    art.cache_clear()
    once = [art(item) for item in ITEMS]
    art.cache_clear()
    assert [art(item) for item in ITEMS] == once
    assert len(set(once)) > 0.95 * len(ITEMS)


def test_a_picture_is_well_formed_and_styled_by_attributes_alone() -> None:
    for item in (*ITEMS, ShopItem('"><script>', category_id='"><script>')):
        svg = ElementTree.fromstring(art(item))
        assert svg.get("aria-hidden") == "true"
        assert all(element.get("style") is None for element in svg.iter())
