"""Changes in the text of an edited file: everything else stays, character by character."""

import pytest
import yaml

from feature_repo.datasets.errors import DatasetError
from feature_repo.init.writing.merge import Changes
from feature_repo.init.writing.splice import set_values, spliced, with_section
from feature_repo.init.writing.tree import flat

TEXT = """\
# mine
train: {rounds: 5}  # fewer

log:
  adapter: files
  files:
    # lines of receipts
    - table: events
      path: a.csv
      columns:
        user_id: {from: who}   # my own remark
        # above a line
        price:
          from: cost
          scale: 0.01
    - table: items
      path: b.csv
      columns: {item_id: {from: sku}}
  # the end of the log
split:
  from_log: true
"""
EVENTS = ("files", ("events", "a.csv", 0))
ITEMS = ("files", ("items", "b.csv", 0))


def places(text):
    return flat(yaml.safe_load(text)["log"])


def test_a_column_comes_behind_the_last_one():
    place = (*EVENTS, "columns", "quantity")
    text = spliced(TEXT, Changes(added={place: {"from": "n"}}), {}, {place: "how many"})
    assert text == TEXT.replace(
        "          scale: 0.01\n", "          scale: 0.01\n        quantity: {from: n}  # how many\n"
    )


def test_a_column_of_a_mapping_in_one_line_stands_in_that_line():
    text = spliced(TEXT, Changes(added={(*ITEMS, "columns", "brand"): {"from": "make"}}), {}, {})
    assert "columns: {item_id: {from: sku}, brand: {from: make}}\n" in text


def test_a_value_of_several_lines_is_replaced_by_one():
    place = (*EVENTS, "columns", "price")
    text = spliced(TEXT, Changes(replaced={place: {"from": "cents"}}), {}, {place: "cents"})
    assert "        # above a line\n        price: {from: cents}  # cents\n    - table: items" in text
    assert "my own remark" in text


def test_a_column_is_taken_out():
    text = spliced(TEXT, Changes(removed=[(*EVENTS, "columns", "user_id")]), {}, {})
    assert text == TEXT.replace("        user_id: {from: who}   # my own remark\n", "")


def test_an_entry_is_taken_out_with_its_columns():
    removed = [EVENTS, (*EVENTS, "columns", "user_id"), (*EVENTS, "columns", "price")]
    assert list(places(spliced(TEXT, Changes(removed=removed), {}, {}))) == [
        ("adapter",),
        ITEMS,
        (*ITEMS, "columns", "item_id"),
    ]


def test_an_entry_comes_behind_the_last_one():
    entry = ("items", "c.csv", 0)
    body = {"table": "items", "path": "c.csv", "columns": {"item_id": {"from": "id"}}}
    added = {("files", entry): None, ("files", entry, "columns", "item_id"): {"from": "id"}}
    text = spliced(TEXT, Changes(added=added), {entry: body}, {})
    assert yaml.safe_load(text)["log"]["files"][2] == body
    assert text.startswith(TEXT[: TEXT.index("  # the end")])
    assert text.endswith(TEXT[TEXT.index("  # the end") :])


def test_a_setting_comes_to_the_end_of_the_section():
    text = spliced(TEXT, Changes(added={("slates",): {"targets": ["order"]}}), {}, {("slates",): "made"})
    assert yaml.safe_load(text)["log"]["slates"] == {"targets": ["order"]}
    assert yaml.safe_load(text)["split"] == {"from_log": True}
    assert "  slates: {targets: [order]}  # made\n" in text


def test_answers_are_put_there_or_replaced():
    text = set_values(TEXT, {("anonymous",): "drop", (*EVENTS, "columns", "user_id"): {"from": "client"}})
    assert places(text)[("anonymous",)] == "drop"
    assert places(text)[(*EVENTS, "columns", "user_id")] == {"from": "client"}


def test_a_new_section_leaves_the_others_alone():
    text = with_section(TEXT, "log:\n  adapter: files\n")
    before, after = TEXT.partition("log:\n")[0], TEXT.partition("  # the end of the log\n")[2]
    assert text == f"{before}log:\n  adapter: files\n  # the end of the log\n{after}"
    assert with_section("train: {rounds: 5}\n", "log: {}\n") == "train: {rounds: 5}\n\nlog: {}\n"
    assert with_section("", "log: {}\n") == "log: {}\n"


def test_a_file_of_another_form_is_refused_with_its_place():
    with pytest.raises(DatasetError, match="not YAML"):
        set_values("log: [", {("anonymous",): "drop"})
    with pytest.raises(DatasetError, match="another form"):
        set_values("log: {files: 3}\n", {(*EVENTS, "columns", "x"): 1})
