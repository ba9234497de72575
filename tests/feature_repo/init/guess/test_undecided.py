"""What the values cannot decide is asked, all at once; what is only noteworthy is said."""

import json

from tests.feature_repo.init import folders
from tests.feature_repo.init.folders import SECONDS, write
from tests.feature_repo.init.guessing import asked, guess_in, left_out, made, only

USERS = [f"u{n % 7}" for n in range(60)]


def purchases(folder, **columns):
    """Purchases with these further columns, each a list of 60 values."""
    known = {
        "user_id": USERS,
        "item_id": [f"i{n % 11}" for n in range(60)],
        "ts": [SECONDS + n * 7000 for n in range(60)],
    }
    known = {name: values for name, values in (known | columns).items() if values is not None}
    write(folder, "purchases.csv", list(known), zip(*known.values(), strict=True))
    return guess_in(folder)


def test_a_date_whose_day_and_month_may_be_either(tmp_path):
    dates = [f"{1 + n % 12:02d}/{1 + n % 9:02d}/2023" for n in range(60)]
    guess = purchases(tmp_path, ts=None, date=dates)
    (question,) = guess.questions
    assert question.place == "events.event_ts.format"
    assert set(question.answers) == {'"%d/%m/%Y"', '"%m/%d/%Y"'}
    assert made(only(guess, "events"), "event_ts") == {"from": "date", "format": "?"}


def test_events_without_a_time(tmp_path):
    assert asked(purchases(tmp_path, ts=None)) == {"events.event_ts.from"}


def test_two_columns_that_may_be_the_item(tmp_path):
    guess = purchases(tmp_path, sku_id=[f"k{n % 5}" for n in range(60)])
    (question,) = guess.questions
    assert (question.place, question.answers) == ("events.item_id.from", ("item_id", "sku_id"))


def test_the_catalog_says_which_of_two_columns_is_the_item(tmp_path):
    write(tmp_path, "products.csv", ("sku_id", "price"), [(f"k{n}", 1.5 + n) for n in range(5)])
    guess = purchases(tmp_path, sku_id=[f"k{n % 5}" for n in range(60)])
    assert made(only(guess, "events"), "item_id") == {"from": "sku_id"}
    assert not guess.questions


def test_codes_of_actions_that_no_word_explains(tmp_path):
    write(
        tmp_path,
        "log.csv",
        ("user", "item", "ts", "event_type"),
        [(u, n % 9, SECONDS + n, n % 3) for n, u in enumerate(USERS)],
    )
    guess = guess_in(tmp_path)
    assert asked(guess) == {"events.action.map", "slates.targets"}
    assert made(only(guess, "events"), "action")["map"] == {"0": "?", "1": "?", "2": "?"}


def test_a_file_that_says_nothing_of_what_was_done(tmp_path):
    write(tmp_path, "interactions.csv", ("user", "item", "ts"), [(u, n % 9, SECONDS + n) for n, u in enumerate(USERS)])
    assert asked(guess_in(tmp_path)) == {"events.action.value", "slates.targets"}


def test_prices_that_are_nothing_in_cents(tmp_path):
    guess = purchases(tmp_path, price=[0.0001 * (1 + n % 9) for n in range(60)])
    assert asked(guess) == {"events.price.scale"}


def test_a_currency_of_large_numbers_gets_a_bound_of_its_own(tmp_path):
    guess = purchases(tmp_path, price=[150_000 + 1000 * n for n in range(60)])
    assert guess.declared["max_price"].value == 10_000_000
    assert not guess.questions


def test_files_without_users_and_items(tmp_path):
    write(tmp_path, "weather.csv", ("city", "degrees"), [("Rome", 20 + n) for n in range(9)])
    (question,) = guess_in(tmp_path).questions
    assert question.place == "files"
    assert "city, degrees" in question.problem


def test_all_questions_come_at_once(tmp_path):
    (tmp_path / "old.zip").write_bytes(b"PK\x03\x04")
    dates = [f"{1 + n % 12:02d}/{1 + n % 9:02d}/2023" for n in range(60)]
    guess = purchases(tmp_path, ts=None, date=dates, sku_id=[f"k{n % 5}" for n in range(60)], price=[0.0001] * 60)
    assert asked(guess) == {"events.event_ts.format", "events.item_id.from", "events.price.scale", "ignore"}


def test_a_first_row_that_may_be_a_header(tmp_path):
    write(tmp_path, "colours.csv", (), [("red", "big"), ("red", "small"), ("blue", "big")])
    assert asked(guess_in(tmp_path)) == {"files.colours.csv.format.header", "files"}
    guess = purchases(tmp_path)
    assert not guess.questions  # nobody needs the file
    assert any("red, big" in note for note in guess.notes)


def test_floats_of_users_are_read_as_whole_numbers_and_nobody_is_named_nan(tmp_path):
    users = ["nan" if n % 3 else f"{34 + n % 5}.0" for n in range(60)]
    guess = purchases(tmp_path, user_id=None, customer_id=users)
    reason = only(guess, "events").columns["user_id"].reason
    assert "5 users" in reason
    assert "67% of the rows have none" in reason
    assert "is read as a whole number" in reason


def test_returns_and_weights_are_said(tmp_path):
    guess = purchases(tmp_path, quantity=[-1 if n == 7 else 1.25 for n in range(60)])
    assert made(only(guess, "events"), "quantity") == {"from": "quantity", "round": True}
    assert "returns" in only(guess, "events").columns["quantity"].reason


def test_ids_that_hardly_overlap_are_said(tmp_path):
    folders.unlabelled(tmp_path)
    rows = [(f"x{n // 4}", f"i{n * 4 % 19}", ("view", "order")[n % 2], SECONDS + n * 4_000 + 60) for n in range(100)]
    write(tmp_path, "actions.csv", ("user_id", "item_id", "what", "ts"), rows)
    (note,) = [each for each in guess_in(tmp_path).notes if "user_id" in each]
    assert note.startswith("only 0% of the user_id in the lists (impressions.csv) stand in actions.csv")


def test_a_catalog_that_is_dated_at_its_export_counts_from_the_start(tmp_path):
    rows = [(f"i{n}", 2.5 + n, "2024-06-30T12:00:00Z") for n in range(11)]
    write(tmp_path, "products.csv", ("item_id", "price", "updated_at"), rows)
    guess = purchases(tmp_path)
    assert made(only(guess, "items"), "valid_from_ts") == {"from": "updated_at"}
    assert guess.settings["catalog"].value == "from_start"


def test_what_columns_are_left_out_and_why(tmp_path):
    rows = [(f"i{n}", f"Thing number {n}", 5, f"{n:06d}", 900_000 + n, "") for n in range(80)]
    write(tmp_path, "products.csv", ("item_id", "title", "constant", "barcode", "erp_id", "note"), rows)
    guess = purchases(tmp_path)
    assert left_out(guess) == {
        "title": "text is not used",
        "constant": "is '5' everywhere",
        "barcode": "almost every item has its own: a name or an id, not an attribute",
        "erp_id": "ids of another system",
        "note": "is empty",
    }


def test_a_table_of_names_is_not_joined_and_a_table_of_facts_is(tmp_path):
    write(tmp_path, "products.csv", ("item_id", "category_id"), [(f"i{n}", n % 4) for n in range(11)])
    write(tmp_path, "categories.csv", ("category_id", "margin_class"), [(n, ("low", "high")[n % 2]) for n in range(4)])
    guess = purchases(tmp_path)
    items = only(guess, "items")
    assert [each.path for each in items.join] == ["categories.csv"]
    assert made(items, "margin_class") == {"from": "margin_class"}
    write(tmp_path, "categories.csv", ("category_id", "label"), [(n, f"name {n}") for n in range(4)])
    guess = guess_in(tmp_path)
    assert only(guess, "items").join == []
    assert guess.ignored["categories.csv"] == "only names of what other files refer to"


def test_extras_never_take_a_name_that_the_log_has(tmp_path):
    write(tmp_path, "products.csv", ("item_id", "views 7d", "views_7d"), [(f"i{n}", n * 3, n / 2) for n in range(11)])
    guess = purchases(tmp_path)
    names = [each.column.name for each in guess.extras]
    assert names == ["own_views_7d", "views_7d_2"]
    assert json.dumps(names)


def test_extras_whose_names_have_no_latin_letter_are_numbered(tmp_path):
    signs = [chr(0x4E00 + n) for n in range(20)]
    write(tmp_path, "products.csv", ("item_id", *signs, "Größe"), [(f"i{n}", *[n % 5] * 20, n % 3) for n in range(11)])
    names = [each.column.name for each in purchases(tmp_path).extras]
    assert names == ["x", "own_x", *(f"x_{n}" for n in range(2, 20)), "groe"]


def test_times_that_were_written_in_another_unit(tmp_path):
    times = [f"1970-01-20 {n % 24:02d}:{n:02d}:00" for n in range(60)]
    guess = purchases(tmp_path, ts=None, time=times)
    (question,) = guess.questions
    assert question.place == "events.event_ts.from"
    assert "1970-01-20" in question.problem


def test_sessions_of_several_users_are_said(tmp_path):
    sessions = [f"s{n % 9}" for n in range(60)]
    (note,) = purchases(tmp_path, session_id=sessions).notes
    assert note.startswith("purchases.csv: 100% of the sessions (session_id) are of several users")


def test_a_file_without_a_header_is_asked_about_column_by_column(tmp_path):
    did = ("pv", "cart", "buy")
    write(tmp_path, "log.dat", (), [(1 + n // 9, 100 + n % 30, did[n % 3], SECONDS + n) for n in range(90)], "::")
    guess = guess_in(tmp_path)
    assert {each.place: each.answers for each in guess.questions} == {
        "events.user_id.from": ("column0", "column1"),
        "events.item_id.from": ("column0", "column1"),
    }
    assert "column1: 30 values" in guess.questions[0].problem
    events = only(guess, "events")
    assert made(events, "event_ts") == {"from": "column3", "unit": "s"}
    assert made(events, "action")["map"] == {"pv": "view", "cart": "add_to_cart", "buy": "order"}


def test_lists_of_one_instant_get_a_made_time(tmp_path):
    rows = [(f"l{n // 4}", f"i{n % 19}", n % 4, int(n % 7 == 0), "2024-05-01") for n in range(200)]
    write(tmp_path, "lists.csv", ("slate_id", "item_id", "position", "click", "date"), rows)
    guess = guess_in(tmp_path)
    assert guess.settings["times"].value == "made"
    assert "shown_ts" not in only(guess, "impressions").columns
    assert not guess.questions


def test_cells_with_fields_of_their_own_are_named(tmp_path):
    rows = [{"session": n, "events": [{"item": n % 5, "ts": SECONDS + n}]} for n in range(20)]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    guess = guess_in(tmp_path)
    assert asked(guess) == {"files"}
    assert "fields of their own" in left_out(guess)["events"]


def test_of_two_columns_of_actions_the_one_with_orders_counts(tmp_path):
    kinds = [("page", "product")[n % 2] + "view" for n in range(60)]
    did = [("detail", "add", "purchase", "remove")[n % 4] if n % 2 else None for n in range(60)]
    guess = purchases(tmp_path, event_type=kinds, product_action=did)
    assert made(only(guess, "events"), "action")["from"] == "product_action"


def test_an_address_is_not_the_item_where_an_id_is_there(tmp_path):
    guess = purchases(tmp_path, hashed_url=[f"h{n}" for n in range(60)])
    assert made(only(guess, "events"), "item_id") == {"from": "item_id"}


def test_a_rating_of_a_book_id_is_no_booking(tmp_path):
    rows = [(n % 20, n * 7 % 30, 1 + n % 5) for n in range(200)]
    write(tmp_path, "ratings.csv", ("user_id", "book_id", "rating"), rows)
    guess = guess_in(tmp_path)
    assert asked(guess) == {"events.event_ts.from"}
    assert made(only(guess, "events"), "item_id") == {"from": "book_id"}


def test_two_catalogs_of_one_key_become_one(tmp_path):
    write(tmp_path, "products.csv", ("item_id", "price"), [(f"i{n}", 1.5 + n) for n in range(11)])
    write(tmp_path, "kinds.csv", ("item_id", "category", "grade"), [(f"i{n}", n % 3, n % 4) for n in range(11)])
    items = only(purchases(tmp_path), "items")
    assert [each.path for each in items.join] == [
        {"kinds.csv": "products.csv", "products.csv": "kinds.csv"}[items.path]
    ]
    assert {name: made(items, name)["from"] for name in items.columns} == {
        "item_id": "item_id",
        "category_id": "category",
        "price": "price",
        "grade": "grade",
    }


def test_users_of_a_file_of_their_own_are_not_used(tmp_path):
    write(tmp_path, "people.csv", ("user_id", "age"), [(f"u{n}", 20 + n) for n in range(7)])
    assert purchases(tmp_path).ignored["people.csv"] == "attributes of users: the log has none"
