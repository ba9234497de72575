"""The catalogue of a log written by hand: b was ordered most, then a; c is in no category; d changed its price."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feature_repo.schema import Column, Declaration, DType
from infra.settings import Settings
from serving.web.goods.catalogue import Catalogue, read_catalogue
from tests import small_log
from tests.serving import world

DAY = datetime(2024, 3, 1, tzinfo=UTC)
LATER = DAY + timedelta(days=1)
DECLARATION = Declaration(
    "own",
    "A log with titles",
    item_extras=(
        Column("title", DType.STRING, "title", nullable=True),
        Column("is_fresh", DType.FLOAT32, "1 if fresh", "flag", True, 0, 1),
        Column("weight", DType.FLOAT32, "weight", "g", True, 0),
    ),
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return world.settings_in(tmp_path)


@pytest.fixture
def catalogue(settings: Settings) -> Catalogue:
    none = {"title": None, "is_fresh": None, "weight": None}
    items = [
        small_log.item("a", category_id="FRZN PIZZA", valid_from_ts=DAY, price=3.5, **none),
        small_log.item("b", category_id="FRZN PIZZA", valid_from_ts=DAY, price=4.0, brand="own", **none),
        small_log.item("c", category_id=None, valid_from_ts=DAY, **(none | {"title": "Blue Émile", "is_fresh": 1.0})),
        small_log.item("d", category_id="bread", valid_from_ts=DAY, price=1.0, **none),
        small_log.item("d", category_id="bread", valid_from_ts=LATER, price=2.0, **(none | {"weight": 500.0})),
    ]
    orders = [small_log.event(i, LATER, "order", item) for i, item in enumerate("bba")]
    shown = [small_log.impression("slate", 0, DAY, "a")]
    small_log.write_log(settings.log_dir, items=items, events=orders, impressions=shown, declaration=DECLARATION)
    return read_catalogue(settings, DECLARATION)


def test_items_come_by_popularity_with_their_latest_attributes(catalogue: Catalogue) -> None:
    assert catalogue.popular(9) == ["b", "a", "c", "d"]
    assert (catalogue.item("d").price, catalogue.item("d").facts) == (2.0, (("Weight", "500"),))
    assert catalogue.of_category("FRZN PIZZA", 9) == ["b", "a"]
    assert catalogue.of_category("nothing", 9) == []


def test_an_item_is_named_by_its_title_or_by_category_and_number(catalogue: Catalogue) -> None:
    assert [catalogue.item(each).name for each in "ca"] == ["Blue Émile", "Frozen pizza no. a"]
    assert catalogue.item("c").facts == (("Fresh", "yes"),)
    assert catalogue.item("new").name == "Everything else no. new"


def test_categories_come_by_popularity_with_the_number_of_their_items(catalogue: Catalogue) -> None:
    assert [(each.name, each.many) for each in catalogue.categories] == [("Frozen pizza", 2), ("Bread", 1)]


@pytest.mark.parametrize(
    ("typed", "found"),
    [("pizza", "ba"), ("FROZEN piz", "ba"), ("frzn", "ba"), ("own pizza", "b"), ("émile", "c"), ("d", "d"),
     ("bread pizza", ""), ("  ", ""), ("!?", "")],
)  # fmt: skip
def test_a_search_finds_items_with_all_words(catalogue: Catalogue, typed: str, found: str) -> None:
    assert catalogue.search(typed, 9) == list(found)


def test_without_a_log_the_catalogue_is_empty_and_says_why(settings: Settings) -> None:
    found = read_catalogue(settings, DECLARATION)
    assert len(found) == 0
    assert "make pipeline" in found.problem
