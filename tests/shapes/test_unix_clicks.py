from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.shapes.conftest import Written


@pytest.fixture(scope="module")
def folder(shape: Callable[[str], Written]) -> Path:
    return shape("unix_clicks").folder


@pytest.fixture(scope="module")
def clicks(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for path in sorted(folder.iterdir()) for line in path.read_text().splitlines()]


def test_a_file_is_one_day_of_unix_seconds(folder: Path) -> None:
    files = sorted(folder.iterdir())
    assert len(files) >= 42
    for path in files:
        days = {
            np.datetime64(json.loads(line)["ts"], "s").astype("datetime64[D]") for line in path.read_text().splitlines()
        }
        assert {f"clicks-{day}.jsonl" for day in days} == {path.name}
        assert not path.read_text().endswith("\n")


def test_ids_are_integers_and_some_users_are_null_or_missing(clicks: list[dict[str, object]]) -> None:
    for name in ("ts", "sid", "item"):
        assert all(isinstance(click[name], int) for click in clicks), name
    assert any("uid" not in click for click in clicks)
    assert any("uid" in click and click["uid"] is None for click in clicks)
    assert 0.1 < np.mean([click.get("uid") is None for click in clicks]) < 0.2


def test_categories_stand_in_one_cell_the_same_for_an_item_or_empty(clicks: list[dict[str, object]]) -> None:
    cells: dict[object, set[object]] = {}
    for click in clicks:
        cells.setdefault(click["item"], set()).add(click["cats"])
    assert all(len(found - {""}) <= 1 for found in cells.values())
    assert any("" in found for found in cells.values())
    assert any(str(click["cats"]).count("|") == 2 for click in clicks)


def test_lines_repeat_and_sessions_cross_midnight(clicks: list[dict[str, object]]) -> None:
    texts = [json.dumps(click) for click in clicks]
    assert 0 < 1 - len(set(texts)) / len(texts) < 0.02
    days = {(click["sid"], int(str(click["ts"])) // 86_400) for click in clicks}
    assert len(days) > len({click["sid"] for click in clicks})
