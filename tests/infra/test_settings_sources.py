"""The order of the sources: each setting is given in all of them, and they are taken away one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.params import BadParams
from infra.settings import Settings
from infra.settings_sources import origins


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """params.yaml, params/shop.yaml and .env of a project, as the class knows them by default."""
    (tmp_path / "params.yaml").write_text("dataset: shop\nsettings: {threads: 6, port: 6, clock: replay}\n")
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "shop.yaml").write_text("settings: {threads: 5, port: 5}\n")
    (tmp_path / ".env").write_text("RERANK_THREADS=3\nOTHER=1\n")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setenv("RERANK_PARAMS_FILE", str(tmp_path / "params.yaml"))
    for name in ("DATASET", "THREADS", "PORT", "CLOCK"):
        monkeypatch.delenv(f"RERANK_{name}", raising=False)
    return tmp_path


def test_each_source_counts_more_than_those_after_it(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def threads(**values: int) -> tuple[int, str | None]:
        return Settings(**values).threads, origins(Settings).get("threads")

    monkeypatch.setenv("RERANK_THREADS", "2")
    assert Settings(threads=1).threads == 1
    assert threads() == (2, "environment")
    monkeypatch.delenv("RERANK_THREADS")
    assert threads() == (3, ".env")
    (files / ".env").unlink()
    assert threads() == (5, "params/shop.yaml")
    (files / "params" / "shop.yaml").unlink()
    assert threads() == (6, "params.yaml")
    (files / "params.yaml").unlink()
    assert threads() == (Settings.model_fields["threads"].default, None)


def test_the_data_set_decides_whose_settings_count(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (files / "params" / "other.yaml").write_text("settings: {port: 9}\n")
    assert (Settings().dataset, Settings().port) == ("shop", 5)
    assert origins(Settings)["dataset"] == "params.yaml"
    assert (Settings(dataset="other").port, Settings(dataset="third").port) == (9, 6)
    (files / ".env").write_text("RERANK_DATASET=other\n")
    assert (Settings().port, Settings().clock) == (9, "replay")
    monkeypatch.setenv("RERANK_DATASET", "shop")
    assert (Settings().port, Settings().dataset) == (5, "shop")


def test_lists_and_numbers_in_a_file_are_as_those_in_the_environment(files: Path) -> None:
    (files / "params" / "shop.yaml").write_text(
        "settings: {ready_needs: [store, events], events_origins: '*', port: '7'}"
    )
    found = Settings()
    assert (found.ready_needs, found.events_origins, found.port) == (("store", "events"), ("*",), 7)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("dataset: x", "settings.dataset: cannot be set here, params.yaml has `dataset` at its top"),
        ("data_dir: x", "settings.data_dir: cannot be set here, it is of this machine: set RERANK_DATA_DIR in the env"),
        ("state_dir: x", "settings.state_dir: cannot be set here"),
        ("params_file: x", "settings.params_file: cannot be set here"),
        ("redis_url: x", "settings.redis_url: cannot be set here, a URL may hold a password: set RERANK_REDIS_URL"),
        ("events_redis_url: x", "settings.events_redis_url: cannot be set here"),
        ("mlflow_tracking_uri: x", "settings.mlflow_tracking_uri: cannot be set here"),
        ("treads: 2", "settings.treads: no such setting; there are redis_timeout_s, clock"),
    ],
)
def test_what_a_file_may_not_set_is_refused_and_named(files: Path, field: str, message: str) -> None:
    for name in ("params.yaml", "params/shop.yaml"):
        before = (files / name).read_text()
        (files / name).write_text(f"settings: {{{field}}}")
        with pytest.raises(BadParams, match=f"^{name}, {message}"):
            Settings(dataset="shop")
        (files / name).write_text(before)


def test_the_name_of_a_data_set_leads_into_no_other_folder(files: Path) -> None:
    (files / "outside.yaml").write_text("settings: {port: 9}\n")
    with pytest.raises(ValueError, match="dataset"):
        Settings(dataset="../outside")
    with pytest.raises(ValueError, match="dataset"):
        Settings(dataset=str(files / "outside"))
