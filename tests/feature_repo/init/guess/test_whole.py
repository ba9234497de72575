"""Whole folders: what a person who knows the files would say of them."""

from feature_repo.datasets.samples.ratings import Options, write_sample
from tests.feature_repo.init import folders
from tests.feature_repo.init.guessing import guess_in, left_out, made, only


def test_a_web_log_and_its_assortment(tmp_path):
    guess = guess_in(folders.chain(tmp_path))
    events, items = only(guess, "events"), only(guess, "items")
    assert made(events, "event_ts") == {"from": "at_ms", "unit": "ms"}
    assert made(events, "user_id") == {"from": "visitor"}
    assert made(events, "session_id") == {"from": "visit_id"}
    assert made(events, "action")["map"] == {
        "pageview": "view",
        "add to basket": "add_to_cart",
        "purchase": "order",
        "remove from basket": "remove_from_cart",
    }
    assert {name: made(items, name)["from"] for name in items.columns} == {
        "item_id": "sku",
        "category_id": "section",
        "brand": "brand",
        "price": "price",
        "weight": "weight",
    }
    assert guess.settings["slates"].value["targets"] == ["order", "add_to_cart"]  # 80 orders are few
    assert left_out(guess)["channel"] == "is the same everywhere"
    assert not guess.questions


def test_search_results_with_two_outcomes_and_one_column_that_gives_them_away(tmp_path):
    guess = guess_in(folders.searches(tmp_path))
    lists = only(guess, "impressions")
    assert made(lists, "slate_id") == {"from": "search_ref"}
    assert made(lists, "shown_ts") == {"from": "date_time"}
    assert made(lists, "input_position") == {"from": "rank", "minus": 1.0}
    assert made(lists, "label") == {"from": ("clicked", "booked"), "map": {"0|0": 0, "1|0": 1, "1|1": 2}}
    assert {each.column.name: each.group for each in guess.extras} == {
        "nightly": "facts",
        "promo": "facts",
        "guests": "facts",
        "site": "context",
    }
    assert lists.columns["site"].reason == "a text: a category of the model, context of dataset.json"
    assert left_out(guess)["gross"].startswith("LEAK")
    done = [(each.where, made(each, "action")["value"]) for each in guess.files if each.table == "events"]
    assert done == [({"clicked": ("1",)}, "view"), ({"booked": ("1",)}, "order"), ({}, "impression")]
    assert "slates" not in guess.settings
    assert not guess.questions


def test_receipts_with_returns_and_decimal_commas(tmp_path):
    guess = guess_in(folders.receipts(tmp_path))
    events = only(guess, "events")
    assert events.format.delimiter == ";"
    assert events.format.decimal == ","
    assert made(events, "event_ts") == {"from": "date", "format": "%d.%m.%Y"}
    assert made(events, "session_id") == {"from": "receipt_no"}
    assert made(events, "user_id") == {"from": "client"}
    assert made(events, "action") == {"value": "order"}
    assert made(events, "price") == {"from": "unit price"}
    assert "returns" in events.columns["quantity"].reason
    assert not guess.questions


def test_a_list_in_a_cell_with_the_item_that_was_chosen(tmp_path):
    guess = guess_in(folders.shown_lists(tmp_path))
    lists, events = only(guess, "impressions"), only(guess, "events")
    assert made(lists, "slate_id") == {"from": "request_id"}
    assert made(lists, "item_id") == {"from": "shown"}  # a list of parquet needs no separator
    assert made(lists, "input_position") == {"index_of": "shown"}
    assert made(lists, "label") == {"equals": "picked"}
    assert made(lists, "shown_ts") == {"from": "time"}
    assert [each.column.name for each in guess.extras] == ["device"]
    assert made(events, "item_id") == {"from": "picked"}
    assert made(events, "action") == {"value": "order"}
    assert not guess.questions


def test_a_label_behind_each_item_of_a_list(tmp_path):
    guess = guess_in(folders.news(tmp_path))
    lists = only(guess, "impressions")
    assert made(lists, "item_id") == {"from": "impressions", "split": " ", "cut": "-"}
    assert made(lists, "label") == {"from": "impressions", "split": " ", "cut": "-", "part": -1}
    assert made(lists, "shown_ts") == {"from": "time", "format": "%m/%d/%Y %I:%M:%S %p"}
    assert made(only(guess, "events"), "action")["map"] == {"1": "order", "0": "impression"}


def test_baskets_that_only_tell_the_days_between_them(tmp_path):
    guess = guess_in(folders.baskets(tmp_path))
    events, items = only(guess, "events"), only(guess, "items")
    assert events.path == "basket_lines.csv"
    assert [(each.path, each.key) for each in events.join] == [("visits.csv", ("basket_id",))]
    assert made(events, "event_ts")["relative"] == {
        "per": "household",
        "order": "basket_number",
        "days": "days_since_last_basket",
        "hour": "hour",
    }
    assert made(events, "session_id") == {"from": "basket_id"}
    assert made(events, "action") == {"value": "order"}
    assert made(items, "category_id") == {"from": "department"}


def test_ratings_become_what_was_seen_and_what_was_liked(tmp_path):
    guess = guess_in(folders.stars(tmp_path))
    events = only(guess, "events")
    assert made(events, "action") == {"from": "score", "at_least": {1.0: "view", 8.0: "order"}}
    assert guess.settings["sessions"].value == {"gap_minutes": 30.0}
    assert guess.settings["slates"].value["targets"][0] == "order"


def test_the_names_of_files_say_what_was_done_in_them(tmp_path):
    guess = guess_in(folders.apart(tmp_path))
    assert {each.path: made(each, "action")["value"] for each in guess.files} == {
        "clicks.csv": "view",
        "purchases.csv": "order",
    }
    assert not guess.questions


def test_lists_without_a_label_beside_events(tmp_path):
    guess = guess_in(folders.unlabelled(tmp_path))
    lists = only(guess, "impressions")
    assert "label" not in lists.columns
    assert made(lists, "input_position") == {"from": "slot"}
    assert made(only(guess, "events"), "action") == {"from": "what"}
    assert any("no label" in note for note in guess.notes)
    assert not guess.questions


def test_json_lines_of_several_days(tmp_path):
    guess = guess_in(folders.lines_of_json(tmp_path))
    events = only(guess, "events")
    assert events.path == "day-*.jsonl"
    assert made(events, "action") == {"from": "verb", "map": {"buy": "order"}}
    assert not guess.questions


def test_a_log_in_its_own_form_is_taken_as_it_is(tmp_path):
    write_sample(tmp_path, Options(slates=60, films=200, users=20))
    (tmp_path / "truth.parquet").unlink()
    guess = guess_in(tmp_path)
    for table in ("items", "events", "impressions"):
        entry = only(guess, table)
        assert entry.path == f"{table}.parquet"
        assert {name: made(entry, name) for name in entry.columns} == {name: {"from": name} for name in entry.columns}
    assert {"event_id", "user_id", "session_id", "item_id", "event_ts", "action"} <= only(
        guess, "events"
    ).columns.keys()
    lists = {"slate_id", "user_id", "session_id", "item_id", "shown_ts", "input_position", "label"}
    assert lists <= only(guess, "impressions").columns.keys()
    assert {"item_id", "valid_from_ts", "category_id"} <= only(guess, "items").columns.keys()
    assert not guess.extras
    assert not guess.questions
