"""The arguments and exit statuses of the command; its findings are in test_audit."""

import argparse

import pytest

from tests.small_log import at, event, impression, item, write_log
from validation.skew.__main__ import main, timestamp_us


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T00:00:00.000001", 1),
        ("1970-01-01T02:00:00+02:00", 0),
        ("2018-01-01T04:07:12.402118Z", 1_514_779_632_402_118),
    ],
)
def test_timestamps_without_a_time_zone_are_utc(text, us):
    assert timestamp_us(text) == us


def test_a_text_that_is_no_timestamp_is_refused():
    with pytest.raises(argparse.ArgumentTypeError, match="'yesterday'"):
        timestamp_us("yesterday")


def test_a_log_without_scores_gives_status_2_and_one_line_with_the_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RERANK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("RERANK_STATE_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("RERANK_DATASET", "tiny")
    shown = [impression("1", 0, at(2), "a")]
    write_log(tmp_path / "tiny" / "log", items=[item("a")], events=[event(1, at(1), "order", "a")], impressions=shown)
    assert main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("validation.skew: ")
    assert "RERANK_SCORE_LOG_MB" in line
    assert not (tmp_path / "tiny" / "reports").exists()
