"""Text files: delimiters, headers and encodings."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import duckdb
import pytest

from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.mapping import FileFormat
from feature_repo.datasets.files.reading.text_files import delimiter_of, open_text
from tests.feature_repo.datasets.files.own_files import OwnFiles


def read(folder: Path, content: str | bytes, name: str = "a.csv", **form: Any) -> list[dict[str, str | None]]:
    """The rows of a file."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "scratch").mkdir(exist_ok=True)
    file = open_text(path, FileFormat(**form), folder / "scratch")
    rows = duckdb.execute(f"SELECT * FROM {file.rows}").fetchall()
    return [dict(zip(file.names, row, strict=True)) for row in rows]


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
def test_a_file_is_read_whatever_its_delimiter(tmp_path: Path, delimiter: str) -> None:
    rows = read(tmp_path, "i,c\na,x\nb,\n".replace(",", delimiter))
    assert rows == [{"i": "a", "c": "x"}, {"i": "b", "c": None}]


def test_values_stay_as_they_are_written(tmp_path: Path) -> None:
    assert read(tmp_path, "i,c\n007,1.50\n1e3, x\n") == [{"i": "007", "c": "1.50"}, {"i": "1e3", "c": " x"}]


def test_a_file_without_a_header_has_numbered_columns(tmp_path: Path) -> None:
    rows = read(tmp_path, "1,a\n2,b\n", header=False)
    assert rows == [{"column0": "1", "column1": "a"}, {"column0": "2", "column1": "b"}]


def test_columns_without_a_name_or_with_a_repeated_one_are_known_by_their_number(tmp_path: Path) -> None:
    assert read(tmp_path, ",i,I,t\n0,a,b,c\n") == [{"column0": "0", "i": "a", "I_2": "b", "t": "c"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
def test_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, "é,b\ncafé,1\n".encode(encoding), encoding=encoding) == [{"é": "café", "b": "1"}]


def test_the_sign_of_the_euro_is_that_of_its_code_page_also_packed(tmp_path: Path) -> None:
    text = "i,b\n€,1\n".encode("cp1252")
    assert read(tmp_path, text, encoding="cp1252") == [{"i": "€", "b": "1"}]
    assert read(tmp_path, gzip.compress(text), name="a.csv.gz", encoding="cp1252") == [{"i": "€", "b": "1"}]


def test_another_encoding_than_utf_8_is_refused_with_the_way_out(tmp_path: Path, own: OwnFiles) -> None:
    with pytest.raises(DatasetError, match=r"a\.csv: is not in utf-8: .*format: \{encoding: cp1252\}"):
        read(tmp_path, "i,c\na,café\n".encode("latin-1"))
    late = "i,t\n" + "a,1714560000\n" * 2000 + "café,1714560000\n"
    with pytest.raises(DatasetError, match=r"events\.csv, row 2001: the text is not in UTF-8; .*encoding: cp1252"):
        own.events(late.encode("latin-1"), "{item_id: {from: i}, event_ts: {from: t, unit: s}, action: {value: view}}")


def test_an_encoding_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the encoding 'utf-9' is not known"):
        read(tmp_path, "a,b\n", encoding="utf-9")


def test_an_empty_file_and_one_that_is_no_gzip_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a\.csv: the file is empty"):
        read(tmp_path, "\n")
    with pytest.raises(DatasetError, match=r"a\.csv\.gz: cannot be read: "):
        read(tmp_path, "i,c,t\n", name="a.csv.gz")


def test_quotes_hold_delimiters_and_line_ends(tmp_path: Path) -> None:
    rows = read(tmp_path, 'i,t\r\n"a, ""b""",1\r\n"c\nd",2')
    assert rows == [{"i": 'a, "b"', "t": "1"}, {"i": "c\nd", "t": "2"}]
