"""Parameters of one data set over those of all: what is merged, and what is refused with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.params import BadParams, merged, read_file, read_params
from infra.settings import PROJECT_ROOT, Settings

OWN = sorted(path.stem for path in (PROJECT_ROOT / "params").glob("*.yaml"))


def settings_in(folder: Path, shared: str, own: str | None = None) -> Settings:
    """Of the data set ``shop``."""
    (folder / "params.yaml").write_text(shared)
    if own is not None:
        (folder / "params").mkdir()
        (folder / "params" / "shop.yaml").write_text(own)
    return Settings(_env_file=None, params_file=folder / "params.yaml", dataset="shop")


def test_what_a_data_set_has_of_its_own_counts_more(tmp_path: Path) -> None:
    settings = settings_in(
        tmp_path,
        "train: {seed: 7, lightgbm: {num_leaves: 31, max_bin: 255}}\nrecommend: {rules: [{rule: a}, {rule: b}]}\n",
        "train: {lightgbm: {num_leaves: 63}}\nrecommend: {rules: [{rule: c}]}\nlog: {adapter: parquet}\n",
    )
    assert read_params(settings) == {
        "train": {"seed": 7, "lightgbm": {"num_leaves": 63, "max_bin": 255}},
        "recommend": {"rules": [{"rule": "c"}]},  # a list replaces the whole list
        "log": {"adapter": "parquet"},
    }
    other = settings.model_copy(update={"dataset": "other"})
    assert read_params(other)["train"]["lightgbm"]["num_leaves"] == 31


def test_merging_changes_neither_of_the_two() -> None:
    base, over = {"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": {"e": 4}}
    assert merged(base, over) == {"a": {"b": 3, "c": 2}, "d": {"e": 4}}
    assert (base, over) == ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}, "d": {"e": 4}})


def test_a_mapping_and_a_single_value_replace_each_other() -> None:
    assert merged({"a": {"b": 1}, "c": 2}, {"a": 3, "c": {"d": 4}}) == {"a": 3, "c": {"d": 4}}


def test_a_time_without_quotes_is_the_text_of_the_same_time(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, "", "split: {validation_start: 2024-03-01T00:00:00+00:00, test_start: 2024-04-01}")
    assert read_params(settings)["split"] == {
        "validation_start": "2024-03-01T00:00:00+00:00",
        "test_start": "2024-04-01",
    }


@pytest.mark.parametrize(
    ("shared", "own", "message"),
    [
        ("trian: {}", "", "params.yaml, trian: no such section; there are dataset, log, split, train"),
        ("", "trian: {}", "params/shop.yaml, trian: no such section; there are log, split, train"),
        ("", "dataset: shop", "params/shop.yaml, dataset: only params.yaml says"),
        ("", "train: 7", "params/shop.yaml, train: must hold names with values, not 7"),
        ("- a", "", r"params.yaml must hold sections, as in `train: {seed: 7}`, not \['a'\]"),
        ("", "train: {seed: 7", r"params/shop.yaml is not YAML: .*line 1"),
        ("split: {shop: {test_start: x}}", "", "params.yaml, split.shop: no such name; there are validation_start"),
        ("recommend: {datasets: {}}", "", "params.yaml, recommend.datasets: move each part to `recommend`"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_key(tmp_path: Path, shared: str, own: str, message: str) -> None:
    with pytest.raises(BadParams, match=message):
        settings_in(tmp_path, shared, own)


def test_a_missing_params_yaml_is_refused_and_a_missing_file_of_a_data_set_is_not(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, "train: {seed: 7}")
    assert read_params(settings) == {"train": {"seed": 7}}
    settings.params_file.unlink()
    with pytest.raises(BadParams, match=r"params\.yaml: No such file; name it by RERANK_PARAMS_FILE"):
        read_params(settings)


def test_a_folder_or_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadParams, match="cannot be read"):
        read_file(tmp_path)
    (tmp_path / "params.yaml").write_bytes(b"train: \xff")
    with pytest.raises(BadParams, match="cannot be read"):
        read_file(tmp_path / "params.yaml")


@pytest.mark.parametrize("dataset", OWN)
def test_each_data_set_of_the_project_says_how_its_log_is_made(dataset: str) -> None:
    params = read_params(Settings(_env_file=None, dataset=dataset))
    assert params["log"]["adapter"] == dataset
    assert params["train"]["lightgbm"]
    assert {"complete_journey", "simulated", "stokman", "sessions_venues", "retailrocket"} <= set(OWN)
