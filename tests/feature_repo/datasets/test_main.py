"""The command: its exit status, its one-line errors, and that an error leaves no files."""

import pytest

from feature_repo.datasets.__main__ import ADAPTERS, adapt, main
from feature_repo.datasets.errors import DatasetError


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("RERANK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RERANK_STATE_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("RERANK_DATASET", "mine")


def test_a_log_goes_to_the_data_sets_folder_by_default(tmp_path):
    assert main(["simulated", "--size", "20"]) == 0
    assert (tmp_path / "data/mine/log/impressions.parquet").exists()


def test_out_and_seed_take_effect(tmp_path, capsys):
    assert main(["simulated", "--size", "20", "--seed", "5", "--out", str(tmp_path / "a")]) == 0
    assert main(["simulated", "--size", "20", "--seed", "6", "--out", str(tmp_path / "b")]) == 0
    assert (tmp_path / "a/events.parquet").read_bytes() != (tmp_path / "b/events.parquet").read_bytes()
    captured = capsys.readouterr()
    assert f"wrote {tmp_path / 'b'}" in captured.out
    assert "simulating" in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["netflix"], "unknown data set 'netflix'; known are complete_journey, sessions_venues, retailrocket, stokman"),
        (["retailrocket"], "retailrocket needs --input"),
        (["parquet"], "parquet needs --input"),
        (["files"], "params/mine.yaml is missing: it says what the files hold"),
        (["sessions_venues"], "sessions_venues needs --input"),
        (["stokman"], "stokman needs --input"),
        (["simulated", "--input", "."], "simulated reads no input"),
        (["simulated", "--size", "0"], "--size must be at least 1, not 0"),
        (["parquet", "--seed", "1"], "parquet takes no --seed"),
        (["parquet", "--input", "nowhere"], "nowhere: there is no such folder"),
        (["sessions_venues", "--input", "nowhere"], "nowhere/venues.csv: cannot be read"),
    ],
)
def test_an_error_is_printed_in_one_line_with_status_2(tmp_path, capsys, arguments, message):
    assert main([*arguments, "--out", str(tmp_path / "log")]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("feature_repo.datasets: ")
    assert message in last
    assert not (tmp_path / "log").exists()
    assert not list(tmp_path.glob(".*.part"))


def test_the_help_lists_the_data_sets(capsys):
    with pytest.raises(SystemExit) as exit_status:
        main(["--help"])
    assert exit_status.value.code == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ADAPTERS)
    assert all(adapter.module.startswith(f"feature_repo.datasets.{name}") for name, adapter in ADAPTERS.items())


def test_an_adapter_can_be_called_without_the_command(settings, out):
    with pytest.raises(DatasetError, match="unknown data set"):
        adapt("netflix", out, settings)
    adapt("simulated", out, settings, size=12, seed=3)
    assert out.exists()
