"""The batch's command over the small shop of tests.training.buyers, in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from infra.settings import PROJECT_ROOT, Settings
from tests.training.buyers.small_shop import PARAMS

DAY = 60  # of the log, asked about: "--at"
K = 4


def write_params(settings: Settings) -> None:
    """The project's own with few sources, windows and rounds."""
    params: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "params.yaml").read_text())
    section = params["recommend"]
    section["sources"] = {
        "own_history": section["sources"]["own_history"],
        "trending": section["sources"]["trending"],
    }
    section["windows"] = {"days": 3, "every_days": 3, "train": 5, "validation": 2, "test": 2, "fit_every": 3}
    section["train"] |= {"rounds": 30, "min_rounds": 5, "bootstrap_resamples": 100}
    section["train"]["lightgbm"] |= {"min_data_in_leaf": 20, "learning_rate": 0.1}
    section["buyers"] = PARAMS
    section["batch"]["recall"]["rounds"] = 20
    settings.params_file.write_text(yaml.safe_dump(params))


@contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """In which ``Settings()`` gives these settings, with a file of parameters of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith("RERANK_"):
                patch.delenv(name)
        for field in ("data_dir", "state_dir", "dataset", "threads", "redis_url", "params_file"):
            patch.setenv(f"RERANK_{field.upper()}", str(getattr(settings, field)))
        yield
