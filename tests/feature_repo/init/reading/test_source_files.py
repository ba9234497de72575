import pytest

from feature_repo.datasets.errors import DatasetError
from feature_repo.init.reading.source_files import common_pattern, find_files, group_names


def test_files_of_one_kind_get_one_pattern():
    assert common_pattern(["a/events_2024-01.csv", "a/events_2024-02.csv"]) == "a/events_2024-*.csv"
    assert common_pattern(["part1.csv", "part2.csv"]) == "part*.csv"
    assert common_pattern(["train.csv", "vali.csv", "test.csv"]) == "*.csv"
    assert common_pattern(["order_products__prior.csv", "order_products__train.csv"]) == "order_products__*.csv"
    assert common_pattern(["alone.csv"]) == "alone.csv"


def test_files_of_different_actions_stay_apart():
    assert common_pattern(["view_log.csv", "buy_log.csv"]) is None


def test_a_pattern_never_matches_a_file_of_another_kind():
    names = ["train.csv", "test.csv"]
    assert group_names(names, others=["items.parquet"]) == [("*.csv", names)]
    assert group_names(names, others=["items.csv"]) == [("train.csv", ["train.csv"]), ("test.csv", ["test.csv"])]


def test_names_that_differ_by_words_are_not_of_one_kind():
    assert group_names(["clicks.csv", "buys.csv"], others=[]) == [
        ("clicks.csv", ["clicks.csv"]),
        ("buys.csv", ["buys.csv"]),
    ]


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "c.parquet").write_text("no parquet")
    (tmp_path / "d.csv.gz").write_bytes(b"not packed")
    (tmp_path / "README.md").write_text("read me")
    (tmp_path / ".hidden.csv").write_text("x\n")
    files, unreadable = find_files(tmp_path)
    assert [each.name for each in files] == ["a.csv"]
    assert [(each.name, each.matters) for each in unreadable] == [
        ("b.zip", True),
        ("c.parquet", True),
        ("d.csv.gz", True),
    ]


def test_one_file_alone_is_an_input_and_its_neighbours_are_not(tmp_path):
    (tmp_path / "my sales.csv").write_text("x,y\n1,2\n")
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    files, _ = find_files(tmp_path / "my sales.csv")
    assert [each.name for each in files] == ["my sales.csv"]


def test_an_input_without_files_is_refused_with_what_was_seen(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        find_files(tmp_path / "nowhere")
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DatasetError, match=r"no CSV, JSON lines or parquet file\n  b.zip: .zip files are not read"):
        find_files(tmp_path)
