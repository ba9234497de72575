import gzip

import pytest

from feature_repo.datasets.files.mapping import FileFormat
from feature_repo.init.reading.text_format import NotText, text_format


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "::"])
def test_the_delimiter_is_the_one_that_all_lines_have(tmp_path, delimiter):
    path = tmp_path / "a.txt"
    path.write_text("".join(delimiter.join(row) + "\n" for row in (("user", "item"), ("1", "7"), ("2", "8"))))
    found = text_format(path)
    assert found.format == FileFormat(delimiter=delimiter, header=True)
    assert found.columns == ("user", "item")


def test_delimiters_inside_of_quotes_do_not_count(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('id;name\n1;"a, b; c"\n2;"d, e"\n')
    assert text_format(path).format.delimiter == ";"


def test_a_first_row_of_values_is_no_header(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("1,2024-01-01,5.5\n2,2024-01-02,6\n")
    found = text_format(path)
    assert not found.format.header
    assert found.columns == ("column0", "column1", "column2")


def test_texts_over_the_same_texts_may_be_a_header_or_not(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("red,big\nred,small\nblue,big\n")
    assert "red, big" in text_format(path).doubt


def test_the_unnamed_column_of_row_numbers_does_not_hide_the_header(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",item,click\n0,7,1\n1,8,0\n")
    assert text_format(path).format.header


def test_bytes_that_are_no_utf8_are_latin_1(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("name,n\nCafé £,1\n".encode("latin-1"))
    assert text_format(path).format.encoding == "latin-1"
    path.write_text("name,n\nCafé £,1\n")
    assert text_format(path).format.encoding == "utf-8"


def test_such_bytes_are_found_far_behind_the_head(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"name,n\n" + b"plain,1\n" * 200_000 + "Café,2\n".encode("latin-1") * 20_000)
    assert text_format(path).format.encoding == "latin-1"


def test_a_character_that_a_probe_cuts_is_still_utf8(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,n\n" + "é€😀x,1\n" * 150_000)
    assert text_format(path).format.encoding == "utf-8"


def test_a_decimal_comma_is_seen_where_the_comma_is_no_delimiter(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("price;n\n1,50;1\n12,00;2\n")
    assert text_format(path).format.decimal == ","


def test_a_packed_file_is_read(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"user,item\n1,2\n"))
    assert text_format(path).columns == ("user", "item")


def test_two_columns_of_one_name_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,name,id\n1,x,2\n3,y,4\n")
    with pytest.raises(NotText, match="two columns of the name 'id'"):
        text_format(path)


def test_a_file_of_blank_lines_is_no_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\n\n")
    with pytest.raises(NotText, match="no lines"):
        text_format(path)
