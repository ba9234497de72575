"""``python -m infra.settings``: every setting with value, source and meaning, and no password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.settings import Settings
from infra.settings_table import main, masked


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "params.yaml").write_text("dataset: shop\nsettings: {clock: replay}\n")
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "shop.yaml").write_text("settings: {threads: 1, ready_needs: [store, events]}\n")
    (tmp_path / ".env").write_text("RERANK_WORKERS=3\n")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setenv("RERANK_PARAMS_FILE", str(tmp_path / "params.yaml"))
    monkeypatch.setenv("RERANK_REDIS_URL", "redis://me:s3cret@cache:6379/0")
    for name in ("DATASET", "CLOCK", "THREADS", "WORKERS", "PORT"):
        monkeypatch.delenv(f"RERANK_{name}", raising=False)


def test_each_setting_has_a_line_with_its_value_its_source_and_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(Settings.model_fields)
    start = [lines[0].index(name) for name in ("setting", "value", "from", "meaning")]
    cells = {
        line.split()[0]: tuple(line[a:b].strip() for a, b in zip(start[1:], [*start[2:], None], strict=True))
        for line in lines[1:]
    }
    assert cells["RERANK_DATASET"][:2] == ("shop", "params.yaml")
    assert cells["RERANK_CLOCK"][:2] == ("replay", "params.yaml")
    assert cells["RERANK_THREADS"][:2] == ("1", "params/shop.yaml")
    assert cells["RERANK_READY_NEEDS"][:2] == ("store,events", "params/shop.yaml")
    assert cells["RERANK_WORKERS"][:2] == ("3", ".env")
    assert cells["RERANK_REDIS_URL"][:2] == ("redis://me:***@cache:6379/0", "environment")
    assert cells["RERANK_PORT"][:2] == ("8000", "default")
    assert cells["RERANK_SHOP"][:2] == ("0", "default")
    assert cells["RERANK_EVENTS_REDIS_URL"][:2] == ("", "default")
    assert all(len(meaning) > 10 for _, _, meaning in cells.values())


def test_the_same_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == Settings.model_fields.keys()
    assert found["threads"] == {
        "name": "threads",
        "variable": "RERANK_THREADS",
        "value": 1,
        "source": "params/shop.yaml",
        "meaning": "Threads for DuckDB and for training.",
    }
    assert (found["shop"]["value"], found["events_redis_url"]["value"]) == (False, None)
    assert "s3cret" not in json.dumps(found)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:s3cret@host:1/0", "redis://:***@host:1/0"),
        ("redis://user:s3:cr@t@host/0", "redis://user:***@host/0"),
        ("https://t0ken@host/", "https://***@host/"),
        ("http://mlflow:5000", "http://mlflow:5000"),
        ("https://host/?user=a&password=s3cret&db=1", "https://host/?user=a&password=***&db=1"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
        ("/a folder/with@sign:x", "/a folder/with@sign:x"),
    ],
)
def test_passwords_in_urls_are_masked(text: str, shown: str) -> None:
    assert masked(text) == shown
