"""The log of a sample: its schema, its way through the gate and the build, and the real catalog where it is found."""

import json

import pyarrow.parquet as pq
import pytest

import validation.__main__
from feature_repo.build.__main__ import main as build
from feature_repo.datasets import stokman
from feature_repo.datasets.__main__ import main
from feature_repo.datasets.declarations.built_in import STOKMAN
from feature_repo.datasets.declarations.declaration_json import read_declaration
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.samples.stokman.sample import write_sample
from feature_repo.definitions.views import views
from feature_repo.schema import ITEM_VECTORS, log_tables
from tests.feature_repo.datasets.stokman_source import VIEW, Source, action, at
from tests.source_tree import ROOT

REAL = ROOT.parent / "shared" / "data" / "stokman"


def test_the_tables_have_the_schema_of_the_contract(log_of, out):
    log_of(actions=[action(VIEW, at(), ["a"])])
    for table in (*log_tables(STOKMAN), ITEM_VECTORS):
        found = pq.read_schema(out / f"{table.name}.parquet")
        assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in table.arrow]
    assert read_declaration(out) == STOKMAN


def test_a_short_log_has_no_slates_and_says_so(log_of, capsys):
    assert log_of(actions=[action(VIEW, at(), ["a"])])("SELECT count(*) FROM impressions") == [(0,)]
    assert "0 slates; share of the 0 ordered items that they hold: none" in capsys.readouterr().err


def test_the_same_files_give_the_same_log(tmp_path, settings):
    source = tmp_path / "source"
    write_sample(source, users=100, rows=4_000, seed=2, items=200, days=20)
    for name in "ab":
        stokman.write_log(tmp_path / name, source=source, size=None, settings=settings)
    for table in ("items", "events", "impressions", "item_vectors"):
        first, second = (pq.read_table(tmp_path / name / f"{table}.parquet") for name in "ab")
        assert first.num_rows > 0
        assert first.equals(second)


def test_without_a_source_the_error_names_the_command_that_makes_a_sample(out, settings):
    with pytest.raises(DatasetError, match=r"samples\.stokman makes one"):
        stokman.write_log(out, source=None, size=None, settings=settings)


def test_an_error_leaves_no_working_files(tmp_path, out, settings):
    source = Source(actions=[action(VIEW, at(), ["a"] * 10_001), action(6, at(9), ["a"])]).write(tmp_path / "source")
    stokman.write_log(out, source=source, size=None, settings=settings)
    many = Source(actions=[action(2, at(), ["a"] * 10_001)]).write(tmp_path / "source")
    with pytest.raises(DatasetError, match="column 'quantity'"):
        stokman.write_log(out, source=many, size=None, settings=settings)
    assert list(settings.spill_dir.glob("stokman-*")) == []
    assert [path.name for path in out.parent.iterdir()] == [out.name]  # the earlier log


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Commands run on the data set stokman, with folders of their own."""
    for name, value in (
        ("DATASET", "stokman"),
        ("DATA_DIR", str(tmp_path / "data")),
        ("STATE_DIR", str(tmp_path / "v")),
    ):
        monkeypatch.setenv(f"RERANK_{name}", value)
    return tmp_path


def test_a_sample_passes_the_gate_and_is_built(shop, capsys):
    write_sample(shop / "source", users=200, rows=8_000, seed=3, items=150, days=24)
    assert main(["stokman", "--input", str(shop / "source")]) == 0
    assert validation.__main__.main(["log"]) == 0
    assert " 0 failed, 0 not checked" in capsys.readouterr().out
    assert build([]) == 0
    features = shop / "data" / "stokman" / "features"
    for view in views(STOKMAN):
        assert pq.read_metadata(features / f"{view.name}.parquet").num_rows > 0


@pytest.mark.skipif(not REAL.exists(), reason="the real catalog is not beside the checkout")
def test_actions_over_the_real_catalog_make_a_log(shop):
    write_sample(shop / "source", users=100, rows=3_000, seed=3, catalog=REAL, days=20)
    assert main(["stokman", "--input", str(shop / "source")]) == 0
    log = shop / "data" / "stokman" / "log"
    assert pq.read_metadata(log / "item_vectors.parquet").num_rows == 89_483
    assert pq.read_metadata(log / "items.parquet").num_rows == 89_483  # all were added before the first action
    assert json.loads((log / "dataset.json").read_text())["name"] == "stokman"
