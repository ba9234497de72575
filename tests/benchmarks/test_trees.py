"""The comparison of tree scorers, on a small model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks.trees import __main__ as trees
from benchmarks.trees import data


def test_every_contender_at_hand_is_timed_and_held_against_lightgbm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"TREES": 5, "LEAVES": 7, "TRAINING_ROWS": 1000}.items():
        monkeypatch.setattr(data, name, value)
    for name, sizes in {"ROWS": 1000, "REPEATS": {1: 2, 500: 2}}.items():
        monkeypatch.setattr(trees, name, sizes)
    for package in ("onnxruntime", "tl2cgen"):  # a compiler's minutes are no test
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(sys, "argv", ["trees", "--json", str(tmp_path / "figures.json")])
    assert trees.main() == 0
    found = json.loads((tmp_path / "figures.json").read_text())["contenders"]
    assert set(found) == {"llvm (ours)", "lightgbm", "lightgbm, C function", "lightgbm, single row fast"}
    for figures in found.values():
        assert (figures["max_difference"], figures["equal_scores"], figures["same_order"]) == (0, 1, 1)
        assert figures["n500_p50_ms"] > 0
    assert "onnxruntime is left out" in capsys.readouterr().out
