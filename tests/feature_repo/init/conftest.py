"""A project of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.feature_repo.init.guessing import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    root = tmp_path / "project"
    root.mkdir()
    (root / "params.yaml").write_text("dataset: shop\n")
    monkeypatch.setenv("RERANK_PARAMS_FILE", str(root / "params.yaml"))
    monkeypatch.setenv("RERANK_STATE_DIR", str(root / "var"))
    monkeypatch.setenv("RERANK_DATA_DIR", str(root / "data"))
    return Project(root, capsys)
