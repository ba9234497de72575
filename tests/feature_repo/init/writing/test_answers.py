import pytest

from feature_repo.datasets.errors import DatasetError
from feature_repo.init.writing.answers import answers_of, places_of

TREE = {
    "files": [
        {
            "table": "events",
            "path": "a.csv",
            "columns": {"event_ts": {"from": "at", "unit": "s"}, "item_id": {"from": "?"}},
        },
        {"table": "events", "path": "b.csv", "columns": {"event_ts": {"from": "at", "format": "?"}}},
    ],
    "slates": {"targets": ["order"]},
}
A, B = ("files", ("events", "a.csv", 0)), ("files", ("events", "b.csv", 0))


def told(*texts):
    return places_of(answers_of(texts), TREE)


def test_an_answer_counts_for_all_files_of_the_table_that_have_the_column():
    assert told("events.event_ts.format=%d/%m/%Y") == {
        (*A, "columns", "event_ts"): {"from": "at", "format": "%d/%m/%Y"},  # a format stands in place of a unit
        (*B, "columns", "event_ts"): {"from": "at", "format": "%d/%m/%Y"},
    }
    assert told("events.item_id.from=sku") == {(*A, "columns", "item_id"): {"from": "sku"}}


def test_a_column_that_no_file_has_goes_to_the_first():
    assert told("events.quantity.from=n") == {(*A, "columns", "quantity"): {"from": "n"}}


def test_a_whole_value_may_be_said():
    assert told("events.action={value: order}") == {(*A, "columns", "action"): {"value": "order"}}


def test_several_answers_of_one_column_come_together():
    assert told("events.price.from=cents", "events.price.scale=0.01") == {
        (*A, "columns", "price"): {"from": "cents", "scale": 0.01}
    }


def test_settings_at_the_top():
    assert told("anonymous=drop", "slates.warm_up_days=3", "ignore=x.csv") == {
        ("anonymous",): "drop",
        ("slates",): {"targets": ["order"], "warm_up_days": 3},
        ("ignore",): ["x.csv"],
    }


def test_the_format_of_a_file_whose_name_has_dots():
    found = answers_of(["data/my.ratings.dat.format.header=false", "data/my.ratings.dat.format.delimiter=::"])
    written = found.formats["data/my.ratings.dat"]
    assert (written.header, written.delimiter) == (False, "::")


def test_what_belongs_into_the_declaration():
    assert answers_of(["timezone=Europe/Paris", "title=My shop"]).declared == {
        "timezone": "Europe/Paris",
        "title": "My shop",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("events", "write it as"),
        ("events..x=1", "write it as"),
        ("nothing=1", "none of items, events"),
        ("a.csv.format.x=1", "a.csv"),
    ],
)
def test_what_is_no_answer_is_refused(text, problem):
    with pytest.raises(DatasetError, match=problem):
        answers_of([text])
    with pytest.raises(DatasetError, match="no file fills items"):
        told("items.price.from=x")
