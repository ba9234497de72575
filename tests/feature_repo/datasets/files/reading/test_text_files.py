"""Text files: delimiters, headers and encodings."""

from __future__ import annotations

import gzip

import pytest

from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.reading.text_files import delimiter_of
from tests.feature_repo.datasets.files.own_files import OwnFiles

COLUMNS = "{item_id: {from: i}, category_id: {from: c}, event_ts: {from: t, unit: s}, action: {value: view}}"
CATEGORIES = "SELECT category_id FROM events"


@pytest.mark.parametrize(
    ("lines", "delimiter"),
    [
        (["a,b,c\n", "1,2,3\n"], ","),
        (["a;b;c\n", "1;2,5;3\n", "2;3,5;4\n"], ";"),
        (["a\tb\n", "1,x\t2\n"], "\t"),
        (["id|names\n", "1|x, y\n", "2|z\n"], "|"),
        (["1::F::10\n", "2::M::20\n"], "::"),
        (["id,list\n", "1,a|b|c\n", "2,a\n"], ","),
        (['a,b\n', '"1,2",3\n'], ","),
        (["id\n", "1\n"], ","),
    ],
)  # fmt: skip
def test_the_delimiter_cuts_every_line_into_as_many_fields(lines: list[str], delimiter: str) -> None:
    assert delimiter_of(lines) == delimiter


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "::"])
def test_a_file_is_read_whatever_its_delimiter(own: OwnFiles, delimiter: str) -> None:
    text = "i,c,t\na,x,1714560000\n".replace(",", delimiter)
    assert own.events(text, COLUMNS).query("SELECT item_id, action FROM events") == [("a", "view")]


def test_a_file_without_a_header_has_numbered_columns(own: OwnFiles) -> None:
    columns = "{item_id: {from: column1}, event_ts: {from: column0, unit: s}, action: {value: view}}"
    log = own.events("1714560000,a\n1714560001,b\n", columns, more="    format: {header: false}\n")
    assert log.column("SELECT item_id FROM events ORDER BY event_ts") == ["a", "b"]


def test_a_column_without_a_name_is_known_by_its_number(own: OwnFiles) -> None:
    columns = "{event_id: {from: column0}, item_id: {from: i}, event_ts: {from: t, unit: s}, action: {value: view}}"
    assert own.events(",i,t\n17,a,1714560000\n", columns).query("SELECT event_id, item_id FROM events") == [("17", "a")]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("packed", [False, True])
def test_other_encodings_are_read(own: OwnFiles, encoding: str, packed: bool) -> None:
    if packed and encoding == "utf-16":
        encoding = "utf-8"
    content = "i,t\ncafé,1714560000\n".encode(encoding)
    columns = "{item_id: {from: i}, event_ts: {from: t, unit: s}, action: {value: view}}"
    name = "events.csv.gz" if packed else "events.csv"
    form = f"    format: {{encoding: {encoding}}}\n"
    log = own.events(gzip.compress(content) if packed else content, columns, name=name, more=form)
    assert log.column("SELECT item_id FROM events") == ["café"]


def test_the_sign_of_the_euro_is_that_of_its_code_page(own: OwnFiles) -> None:
    columns = "{item_id: {from: i}, event_ts: {from: t, unit: s}, action: {value: view}}"
    log = own.events("i,t\n€,1714560000\n".encode("cp1252"), columns, more="    format: {encoding: cp1252}\n")
    assert log.column("SELECT item_id FROM events") == ["€"]


def test_another_encoding_than_utf_8_is_refused_with_the_way_out(own: OwnFiles) -> None:
    with pytest.raises(DatasetError, match=r"events\.csv: is not in utf-8: .*format: \{encoding: cp1252\}"):
        own.events("i,c,t\na,café,1714560000\n".encode("latin-1"), COLUMNS)
    late = "i,c,t\n" + "a,x,1714560000\n" * 2000 + "a,café,1714560000\n"
    with pytest.raises(DatasetError, match=r"the text is not in UTF-8; .*format: \{encoding: cp1252\}"):
        own.events(late.encode("latin-1"), COLUMNS)


def test_an_empty_file_and_one_that_is_no_gzip_are_refused(own: OwnFiles) -> None:
    with pytest.raises(DatasetError, match=r"events\.csv: the file is empty"):
        own.events("\n", COLUMNS)
    with pytest.raises(DatasetError, match=r"events\.csv\.gz: cannot be read: "):
        own.events("i,c,t\n", COLUMNS, name="events.csv.gz")


def test_quotes_hold_delimiters_and_line_ends(own: OwnFiles) -> None:
    columns = "{item_id: {from: i}, event_ts: {from: t, unit: s}, action: {value: view}}"
    log = own.events('i,t\n"a, ""b""",1714560000\n"c\nd",1714560001\n', columns)
    assert log.column("SELECT item_id FROM events ORDER BY event_ts") == ['a, "b"', "c\nd"]
