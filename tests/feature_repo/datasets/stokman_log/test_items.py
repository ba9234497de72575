"""Since when a product, its category and its price are known, and what its events carry."""

from decimal import Decimal

from tests.feature_repo.datasets.stokman_source import CATEGORY, ORDER, VIEW, action, at, product


def bare(when):
    return when.replace(tzinfo=None)


def test_a_price_holds_from_the_add_date_and_a_category_from_the_first_act(log_of):
    catalog = [product("a", price=100, old_price=120, add_date=bare(at(10)))]
    query = log_of(catalog=catalog, actions=[action(VIEW, at(m), ["a"]) for m in (0, 5, 10, 15)])
    assert query("SELECT valid_from_ts, category_id, shop_id, price, old_price FROM items ORDER BY 1") == [
        (at(0), "k", "350", None, None),
        (at(10), "k", "350", Decimal("100.00"), Decimal("120.00")),
    ]
    assert query("SELECT category_id, price FROM events ORDER BY event_ts") == [
        (None, None),  # its first act: nothing was known strictly before
        ("k", None),
        ("k", None),  # exactly at the add date
        ("k", Decimal("100.00")),
    ]


def test_a_product_added_before_its_first_act_has_one_version(log_of):
    query = log_of(catalog=[product("a"), product("b")], actions=[action(VIEW, at(), ["a"])])
    assert query("SELECT item_id, valid_from_ts FROM items ORDER BY 1") == [("a", at(days=-9)), ("b", at(days=-9))]


def test_an_add_date_after_the_last_act_is_not_known(log_of):
    catalog = [product("a", add_date=bare(at(99))), product("b", add_date=bare(at(99)))]
    query = log_of(catalog=catalog, actions=[action(VIEW, at(), ["a"]), action(VIEW, at(1), ["a"])])
    assert query("SELECT item_id, valid_from_ts, category_id, price FROM items") == [("a", at(), "k", None)]


def test_a_product_that_the_catalog_lacks_is_an_item_without_attributes(log_of, capsys):
    query = log_of(actions=[action(VIEW, at(3), ["new"])])
    found = query("SELECT valid_from_ts, category_id, price, shop_id FROM items WHERE item_id = 'new'")
    assert found == [(at(3), None, None, None)]
    assert "1 products are not in the catalog" in capsys.readouterr().err


def test_a_price_above_the_limit_is_unknown(log_of, capsys):
    catalog = [product("a", price=100_000, old_price=100_001), product("b", price=7_390_000, old_price=7_390_000)]
    query = log_of(catalog=catalog, actions=[action(VIEW, at(), ["a"])])
    assert query("SELECT price, old_price FROM items ORDER BY item_id") == [(Decimal("100000.00"), None), (None, None)]
    assert "2 products have a price above 100000" in capsys.readouterr().err


def test_an_orders_value_is_its_quantity_at_the_known_price(log_of):
    catalog = [product("a", price=60_000, old_price=60_000), product("b", price=12.5)]
    query = log_of(catalog=catalog, actions=[action(ORDER, at(), ["b", "a", "b", "a", "c"])])
    assert query("SELECT item_id, quantity, price, value FROM events ORDER BY 1") == [
        ("a", 2, Decimal("60000.00"), None),  # above the limit of a value
        ("b", 2, Decimal("12.50"), Decimal("25.00")),
        ("c", 1, None, None),
    ]


def test_a_visited_category_is_that_of_the_page_if_it_was_known_before(log_of):
    catalog = [product("a", "k"), product("b", "m", add_date=bare(at(5)))]
    pages = [(0, "k"), (1, "17"), (5, "m"), (6, "m"), (7, None)]
    query = log_of(catalog=catalog, actions=[action(CATEGORY, at(m), ["a"], page=page) for m, page in pages])
    found = query("SELECT category_id, item_id FROM events ORDER BY event_ts")
    assert found == [("k", None), (None, None), (None, None), ("m", None), (None, None)]


def test_the_page_of_another_action_is_no_category(log_of):
    assert log_of(actions=[action(VIEW, at(), page="k")])("SELECT category_id FROM events") == [(None,)]
