import duckdb

from feature_repo.init.writing.fits import what_no_longer_fits
from tests.feature_repo.init import folders
from tests.feature_repo.init.guessing import views_in


def problems(folder, *files):
    with duckdb.connect() as connection:
        return what_no_longer_fits({"files": list(files)}, views_in(folder, connection))


def test_a_path_without_a_file_and_a_column_that_is_gone_are_named(tmp_path):
    folders.baskets(tmp_path)
    found = problems(
        tmp_path,
        {"table": "events", "path": "lines.csv", "columns": {}},
        {"table": "items", "path": "goods.csv", "columns": {"item_id": {"from": "good"}, "price": {"from": "cost"}}},
        {"table": "events", "path": "basket_lines.csv", "join": [{"path": "gone.csv", "key": "x"}], "columns": {}},
    )
    assert found[0].startswith("log.files: no file matches lines.csv; there are basket_lines.csv")
    assert found[1] == "items.price: goods.csv has no column 'cost'; it has department, good, name"
    assert found[2] == "log.files, basket_lines.csv: no file matches the join gone.csv"
    assert len(found) == 3


def test_columns_of_joined_files_and_other_patterns_of_the_user_fit(tmp_path):
    folders.baskets(tmp_path)
    entry = {
        "table": "events",
        "path": "*_lines.csv",
        "join": [{"path": "visits.csv", "key": "basket_id"}],
        "where": {"seq": [1]},
        "columns": {
            "user_id": {"from": "household"},
            "label": {"equals": "good"},
            "session_id": {"from": ["basket_id", "seq"]},
        },
    }
    assert problems(tmp_path, entry) == []
