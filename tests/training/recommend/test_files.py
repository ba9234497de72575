import pyarrow.parquet as pq
import pytest

from training.recommend.errors import BadSubmission, BadTarget
from training.recommend.files import format_of, read_submission, write_submission
from training.recommend.submission import SCHEMA, Submission

ODD = Submission(["u 1", 'v,"2"'], [["a b", "ü,1"], ['"q"', "[c]"]])


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_file_is_read_back_as_it_was_written(tmp_path, form):
    path = tmp_path / "new" / f"submission.{form}"
    write_submission(ODD, path, form)
    assert read_submission(path) == ODD
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_parquet_holds_lists_of_strings(tmp_path):
    write_submission(ODD, tmp_path / "s.parquet", "parquet")
    assert pq.read_schema(tmp_path / "s.parquet").remove_metadata() == SCHEMA


def test_csv_holds_a_json_list(tmp_path):
    write_submission(Submission(["u"], [["a", "b"]]), tmp_path / "s.csv", "csv")
    assert (tmp_path / "s.csv").read_bytes() == b'user_id,product_ids\r\nu,"[""a"", ""b""]"\r\n'


def test_a_csv_that_a_spreadsheet_saved_is_read(tmp_path):
    (tmp_path / "s.csv").write_text('user_id,product_ids\nu,"[""a""]"\n', encoding="utf-8-sig")
    assert read_submission(tmp_path / "s.csv") == Submission(["u"], [["a"]])


WRONG = [
    "user_id\nu\n",
    "user_id,product_ids\nu,a b\n",
    'user_id,product_ids\nu,"{}"\n',
    f"user_id,product_ids\nu,{'[' * 100_000}\n",
    f"user_id,product_ids\nu,{'x' * (1 << 24)}y\n",
]


@pytest.mark.parametrize("text", WRONG, ids=["no list", "no JSON", "no JSON list", "nested deeply", "a long field"])
def test_a_csv_of_another_form_is_refused(tmp_path, text):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(BadSubmission):
        read_submission(tmp_path / "s.csv")


def test_a_missing_or_broken_file_is_refused(tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    for name in ("none.parquet", "none.csv", "broken.parquet"):
        with pytest.raises(BadTarget, match=name):
            read_submission(tmp_path / name)


def test_the_form_is_that_of_the_ending_or_the_one_given(tmp_path):
    assert format_of(tmp_path / "a.CSV") == "csv"
    assert format_of(tmp_path / "a.txt", "parquet") == "parquet"
    with pytest.raises(BadTarget, match="there are parquet, csv"):
        format_of(tmp_path / "a.txt")


def test_what_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadTarget, match="cannot be written"):
        write_submission(ODD, tmp_path / "file" / "s.csv", "csv")
