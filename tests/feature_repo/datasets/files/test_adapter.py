"""The adapter as a whole: what it is given, what it leaves, and that a refusal leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from feature_repo.datasets.__main__ import main
from feature_repo.datasets.declarations.declaration_json import read_declaration
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.adapter import write_log
from feature_repo.schema import log_tables
from infra.settings import Settings
from tests.feature_repo.datasets.files.own_files import SLATE, SLATES, OwnFiles

FILES = f"files: {SLATES}"


def test_the_log_has_all_columns_of_the_contract_and_the_declared_ones(own: OwnFiles) -> None:
    declared = {
        "title": "My shop",
        "item_extras": [{"name": "rating", "dtype": "float32", "description": "stars", "nullable": True}],
        "facts": [{"name": "promoted", "dtype": "float32", "description": "1 if promoted", "nullable": True}],
        "context": [{"name": "city", "dtype": "string", "description": "city", "nullable": True}],
    }
    files = {"slates.csv": SLATE.replace("label\n", "label,promoted,city\n").replace(",1\n", ",1,true,Rome\n")}
    more = "      promoted: {from: promoted}\n      city: {from: city}\n"
    log = own.log(files, FILES + more, declared)
    declaration = read_declaration(own.out)
    assert (declaration.name, declaration.title) == ("mine", "My shop")
    for table in log_tables(declaration):
        found = pq.read_schema(own.out / f"{table.name}.parquet")
        assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in table.arrow]
    assert log.query("SELECT promoted, city FROM impressions") == [(1.0, "Rome")]
    assert log.query("SELECT item_id, rating FROM items") == [("a", None)]


def test_undeclared_columns_are_named_at_once_with_what_to_write(own: OwnFiles) -> None:
    files = {"slates.csv": SLATE.replace("label\n", "label,promoted,city\n").replace(",1\n", ",1,true,Rome\n")}
    more = "      Promoted?: {from: promoted, scale: 2}\n      city: {from: city}\n"
    with pytest.raises(DatasetError) as refusal:
        own.log(files, FILES + more)
    said = str(refusal.value)
    assert "slates.csv, column 'Promoted?, city': the column is not declared: declare it in dataset.json" in said
    assert '"facts": [{"name": "promoted", "dtype": "float32", "description": "Promoted?", "nullable": true}]' in said
    assert '"context": [{"name": "city", "dtype": "string", "description": "city", "nullable": true}]' in said


def test_a_declaration_beside_the_mapping_comes_before_that_of_the_folder(own: OwnFiles) -> None:
    own.write({"slates.csv": SLATE}, FILES, {"title": "of the folder"})
    (own.settings.params_file.parent / "params" / "mine.dataset.json").write_text('{"title": "beside the mapping"}')
    write_log(own.out, source=None, size=None, settings=own.settings)
    assert read_declaration(own.out).title == "beside the mapping"


def test_a_size_is_a_number_of_slates(own: OwnFiles) -> None:
    rows = "".join(f"r{n},u,s,a,2024-05-01T12:0{n}:00Z,0,1\n" for n in range(8))
    log = own.log({"slates.csv": f"slate,user,session,item,at,place,label\n{rows}"}, FILES, size=3)
    assert log.column("SELECT count(DISTINCT slate_id) FROM impressions") == [3]


def test_an_input_may_be_the_only_file(own: OwnFiles) -> None:
    own.write({"slates.csv": SLATE}, FILES)
    write_log(own.out, source=own.folder / "slates.csv", size=None, settings=own.settings)
    assert pq.read_metadata(own.out / "impressions.parquet").num_rows == 1


def test_a_refusal_leaves_no_files_and_the_earlier_log(own: OwnFiles) -> None:
    own.log({"slates.csv": SLATE}, FILES)
    before = (own.out / "impressions.parquet").read_bytes()
    own.write({"slates.csv": SLATE.replace(",1\n", ",9\n")}, FILES)
    with pytest.raises(DatasetError, match="is not at most 4"):
        write_log(own.out, source=None, size=None, settings=own.settings)
    assert (own.out / "impressions.parquet").read_bytes() == before
    assert list(own.settings.spill_dir.iterdir()) == []
    assert [path.name for path in own.out.parent.glob(".*")] == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, r"params/mine\.yaml is missing: .* python -m feature_repo\.init NAME --input FOLDER"),
        ("train: {}", r"params/mine\.yaml holds no log\.files: "),
        ("log: [", r"params/mine\.yaml is not YAML"),
        ("log: {files: []}", r"log\.input is missing: the folder with the files; or give --input"),
        ("log: {input: /nowhere, files: []}", r"/nowhere: there is no such folder"),
        ("log: {input: ., files: 5}", r"params/mine\.yaml: the mapping is wrong:\n  log\.files: Input should be"),
    ],
)
def test_a_mapping_that_is_missing_or_wrong_is_said(own: OwnFiles, text: str | None, problem: str) -> None:
    path = own.settings.params_file.parent / "params" / "mine.yaml"
    if text is not None:
        path.parent.mkdir()
        path.write_text(text)
    with pytest.raises(DatasetError, match=problem):
        write_log(own.out, source=None, size=None, settings=own.settings)


def test_the_folder_of_the_files_is_not_replaced_by_the_log(own: OwnFiles) -> None:
    own.write({"slates.csv": SLATE}, FILES)
    with pytest.raises(DatasetError, match="both --input and --out"):
        write_log(own.folder, source=None, size=None, settings=own.settings)


def test_the_command_writes_the_log_and_prints_what_was_made(
    own: OwnFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own.write({"slates.csv": SLATE}, FILES)
    for name, value in (
        ("DATASET", "mine"), ("DATA_DIR", tmp_path / "d"), ("STATE_DIR", tmp_path / "s"),
        ("PARAMS_FILE", tmp_path / "params.yaml"),
    ):  # fmt: skip
        monkeypatch.setenv(f"RERANK_{name}", str(value))
    assert main(["files"]) == 0
    assert (Settings(_env_file=None).log_dir / "impressions.parquet").exists()
    said = capsys.readouterr().err
    assert "dropped, mended or made:\n  items: 1 items made: no file holds items" in said
