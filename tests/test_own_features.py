"""The tutorial's two features, added to a copy of the project as a user adds them: nothing else is touched."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest

from infra.settings import PROJECT_ROOT

pytestmark = pytest.mark.slow
TUTORIAL = PROJECT_ROOT / "docs" / "your-own-features.md"
ADDED = ("age_group", "income_group", "household_size", "price_vs_user")


def added_files() -> dict[str, str]:
    """Path -> text, of the page's blocks that name their file in the first line."""
    blocks = re.findall(r"```python\n# (\S+)\n(.*?)```", TUTORIAL.read_text(), re.DOTALL)
    return dict(blocks)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("project")
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT_ROOT / name, target)
    for name, text in added_files().items():
        (folder / name).write_text(text)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RERANK_")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.own_features", str(folder / "shop")],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_the_page_adds_a_view_a_derived_feature_and_the_service() -> None:
    names = ["feature_repo/household_views.py", "feature_repo/service.py", "feature_repo/derived/price_level.py"]
    assert list(added_files()) == names


def test_the_added_features_are_inputs_of_the_trained_model(found: dict[str, Any]) -> None:
    assert set(ADDED) <= set(found["features"])


def test_an_explanation_names_them_with_the_text_of_a_category(found: dict[str, Any]) -> None:
    first = found["explained"]["items"][0]
    assert set(ADDED) <= set(first["contributions"])
    assert first["values"]["household_size"] in ("1", "2", "3", "4", "5", "rare or new", None)


def test_they_are_served_as_they_were_trained_bit_for_bit(found: dict[str, Any]) -> None:
    for name in ADDED:
        compared, different, _ = found["audit"][name]
        assert compared > 0
        assert different == 0, name
    assert sum(unexplained for _, _, unexplained in found["audit"].values()) == 0
