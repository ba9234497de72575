"""A wrong setting is one sentence that names the place to mend, and exit status 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.command import command_params, command_settings
from infra.settings import PROJECT_ROOT, Settings


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text("dataset: shop\n")
    (tmp_path / "params").mkdir()
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setenv("RERANK_PARAMS_FILE", str(tmp_path / "params.yaml"))
    for name in ("DATASET", "CLOCK"):
        monkeypatch.delenv(f"RERANK_{name}", raising=False)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as end:
        command_settings("serving")
    assert end.value.code == 2
    return capsys.readouterr().err


def test_good_settings_are_returned(files: Path) -> None:
    assert command_settings().dataset == "shop"
    assert command_params(command_settings()) == {"dataset": "shop"}


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("params.yaml", "dataset: my-shop", "serving: params.yaml, dataset: 'my-shop' must be lower-case letters"),
        ("params.yaml", "dataset: 2024-01-01", "serving: params.yaml, dataset: "),
        (".env", "RERANK_DATASET=my-shop", "serving: .env, RERANK_DATASET: 'my-shop' must be"),
        (".env", "RERANK_CLOCK=lunar", "serving: .env, RERANK_CLOCK: Input should be 'wall' or 'replay'"),
        ("params/shop.yaml", "settings: {clock: lunar}", "serving: params/shop.yaml, settings.clock: Input should be"),
        ("params/shop.yaml", "setings: {}", "serving: params/shop.yaml, setings: no such section"),
        ("params/shop.yaml", "settings: {shop: true, host: 0.0.0.0}", "serving: shop lets a visitor act"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(
    files: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, sentence: str
) -> None:
    (files / file).write_text(text)
    found = said(capsys)
    assert found.startswith(sentence)
    assert len(found.splitlines()) == 1


def test_a_wrong_variable_is_named(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RERANK_CLOCK", "lunar")
    monkeypatch.setenv("RERANK_THREADS", "0")
    assert [line.split(": ")[1] for line in said(capsys).splitlines()] == ["RERANK_CLOCK", "RERANK_THREADS"]


def test_parameters_that_cannot_be_read_end_the_command(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = command_settings()
    (files / "params" / "shop.yaml").write_text("[")
    with pytest.raises(SystemExit) as end:
        command_params(settings)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("settings: ")


def test_a_command_prints_no_traceback(files: Path) -> None:
    (files / "params.yaml").write_text("dataset: my-shop")
    for module, *arguments in (["infra.settings"], ["infra.redis_server", "lock-file"]):
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1, done.stderr
