import pytest

from feature_repo.init.words import ITEM, USER, action_of, action_of_name, is_id_like, is_named, words


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("InvoiceNo", ("invoice", "no")),
        ("customer_id", ("customer", "id")),
        ("customerid", ("customer", "id")),
        ("HTTPStatusCode", ("http", "status", "code")),
        ("product_skus_hash", ("product", "skus", "hash")),
        ("movieId", ("movie", "id")),
        ("f12", ("f", "12")),
        ("grid", ("grid",)),
    ],
)
def test_a_name_is_cut_into_its_words(name, parts):
    assert words(name) == parts


def test_a_column_is_a_user_only_if_no_other_word_stands_in_its_name():
    assert is_named("user_id", USER)
    assert is_named("VISITORID", USER)
    assert not is_named("user_feature_0", USER)
    assert not is_named("user_agent", USER)
    assert is_named("sku", ITEM)
    assert is_id_like("prop_id")
    assert not is_id_like("identity")


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("pv", "view"),
        ("product_detail", "view"),
        ("click", "view"),
        ("addtocart", "add_to_cart"),
        ("cart", "add_to_cart"),
        ("atc", "add_to_cart"),
        ("add to basket", "add_to_cart"),
        ("add", "add_to_cart"),
        ("remove_from_cart", "remove_from_cart"),
        ("transaction", "order"),
        ("buy", "order"),
        ("Purchase", "order"),
        ("checkout", "order"),
        ("begin_checkout", "list_cart"),
        ("view_cart", "list_cart"),
        ("add_to_wishlist", "like"),
        ("fav", "like"),
        ("search for poi", "search"),
        ("filter selection", "search"),
        ("clickout item", "order"),
        ("interaction item image", "view"),
        ("view_item_list", "visit_category"),
        ("display", "impression"),
        ("remove_from_wishlist", None),
        ("add_payment_info", None),
        ("refund", None),
        ("17", None),
        ("", None),
    ],
)
def test_the_words_of_an_action_say_which_one_it_is(text, action):
    assert action_of(text) == action


def test_the_name_of_a_file_speaks_of_an_action_only_with_a_verb():
    assert action_of_name("order_products.csv") == "order"
    assert action_of_name("clicks-2024") == "view"
    assert action_of_name("products") is None
    assert action_of_name("item_interactions") is None
