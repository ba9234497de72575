"""The whole review of a training set in which it is known what each feature is worth."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from feature_repo.contract import current_contract
from infra.models.model_store import ModelStore, NoModel
from infra.models.ranker import BaselineRanker
from infra.settings import Settings
from tests.small_log import DECLARATION
from tests.training.tune.test_ranker_task import FILE, unreadable_test_split
from tests.training.tune.test_ranker_task import split as made_split
from training.ablation.families import feature_families
from training.ablation.results import EARNS, ranker_results
from training.features.command import Wanted, feature_review, main
from training.features.model import OtherModel, reviewed_model
from training.features.review import UNUSED
from training.features.tables import html, markdown
from training.ranker.lambdamart import fit
from training.training_set.ranking_data import load_splits

CONTRACT = current_contract("tiny", DECLARATION)
NAMES = CONTRACT.feature_names
LABEL, HALF, SHIFTED, MISSING = NAMES[0], "views_7d", "orders_28d", "price_vs_slate"
NOISE = (HALF, SHIFTED, "hour", "bought_count")  # the model reads them; the labels do not depend on them
PARAMS = {"seed": 3, "rounds": 40, "early_stopping_rounds": 40, "bootstrap_resamples": 300,
          "lightgbm": {"learning_rate": 0.1, "num_leaves": 7, "min_data_in_leaf": 5}}  # fmt: skip
CATEGORIES = [each.name for each in CONTRACT.features if each.dtype == "category"]
WANTED = Wanted(slates=50, repeats=2)


def planted(name: str, seed: int) -> pa.Table:
    """``LABEL`` marks the wanted items; ``HALF`` has a value in half of the rows, ``SHIFTED`` is 3 higher in test,
    ``MISSING`` never has a value; of the others all but NOISE are 0, and the categories have two texts in turn."""
    table = made_split(name, seed)
    random, n = np.random.default_rng(seed), len(table)
    is_known = np.arange(n) % 2 == 0
    values = {each: np.zeros(n) for each in NAMES} | {each: random.normal(size=n) for each in NOISE}
    values[LABEL] = table["label"].to_numpy() + 0.3 * random.normal(size=n)
    values[SHIFTED] += 3 * (name == "test")
    columns = {each: pa.array(column, pa.float32()) for each, column in values.items()}
    columns[HALF] = pc.if_else(pa.array(is_known), columns[HALF], None)
    columns[MISSING] = pa.nulls(n, pa.float32())
    texts = pa.array(["one", "two"] * (n // 2) + ["one"] * (n % 2)).dictionary_encode()
    columns |= dict.fromkeys(CATEGORIES, texts)
    kept = table.select([each for each in table.column_names if each not in NAMES])
    return pa.table({**{each: kept[each] for each in kept.column_names}, **columns})


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    found = unreadable_test_split(tmp_path_factory.mktemp("planted"))
    tables = [planted(name, seed) for seed, name in enumerate(("train", "validation", "test"))]
    pq.write_table(pa.concat_tables(tables), found.training_dir / FILE)
    data = load_splits(found.training_dir / FILE, NAMES)
    register(ModelStore(found), fit(data["train"], data["validation"], PARAMS, 1).ranker)
    return found


def register(store: ModelStore, ranker, contract=CONTRACT) -> str:
    return store.register(store.client.create_run(store.experiment_id()).info.run_id, ranker, contract, {})


@pytest.fixture(scope="module")
def found(settings):
    return feature_review(settings, {"train": PARAMS}, WANTED)


@pytest.fixture(scope="module")
def features(found):
    return {each["name"]: each for each in found["features"]}


def test_every_input_is_reviewed_once(found, features):
    assert [each["name"] for each in found["features"]] == list(NAMES)
    assert [each["name"] for each in found["families"]] == list(feature_families(DECLARATION))
    assert found["value"]["slates"] <= WANTED.slates
    assert found["value"]["mean"] > 0.9
    assert sum(each["gain"] for each in features.values()) == pytest.approx(1)


def test_the_feature_that_is_the_label_has_all(features):
    label = features[LABEL]
    assert label["verdict"] == EARNS
    assert label["loss"]["low"] > 0.2
    assert label["loss"]["mean"] > 20 * max(abs(features[name]["loss"]["mean"]) for name in NOISE)
    assert label["gain"] > 0.5


def test_noise_that_the_model_reads_is_named(found, features):
    for name in NOISE:
        assert features[name]["splits"] > 0
        assert abs(features[name]["loss"]["mean"]) < 0.01
    named = {*found["nothing"]["spared"], *found["nothing"]["covered"]}
    assert named <= set(NOISE)
    assert len(named) >= len(NOISE) - 1, "of twenty intervals one lies beside 0 by chance"
    assert found["nothing"]["loss"]["mean"] <= 0


def test_what_the_model_never_splits_on_is_named_and_loses_nothing(found, features):
    rest = [name for name in NAMES if name not in (LABEL, *NOISE)]
    assert sorted(found["nothing"]["unused"]) == sorted(rest)
    assert {features[name]["verdict"] for name in rest} == {UNUSED}
    assert {features[name]["loss"]["high"] for name in rest} == {0}


def test_coverage_is_that_of_each_split(features):
    splits = ("train", "validation", "test")
    assert features[HALF]["coverage"] == dict.fromkeys(splits, 0.5)
    assert features[MISSING]["coverage"] == dict.fromkeys(splits, 0.0)
    assert features[LABEL]["coverage"] == dict.fromkeys(splits, 1.0)


def test_a_shifted_feature_has_drifted_and_the_others_have_not(features):
    assert features[SHIFTED]["drift"] == "far"
    assert features[SHIFTED]["ks"] > 0.8
    assert {each["drift"] for name, each in features.items() if name != SHIFTED} == {"stable"}
    assert features[MISSING]["ks"] is None


def test_a_family_is_worth_what_its_features_are_together(found, features):
    families = {each["name"]: each for each in found["families"]}
    own = families[features[LABEL]["family"]]
    assert own["verdict"] == EARNS
    assert own["loss"]["low"] > 0.2
    assert found["nothing"]["families"] == [name for name, each in families.items() if each["verdict"] != EARNS]
    assert features[LABEL]["family"] not in found["nothing"]["families"]


def test_without_redis_the_cost_is_said_to_be_unknown(found, features):
    assert found["cost"] is None
    assert "Redis" in found["cost_problem"]
    assert {each["online_us"] for each in features.values()} == {None}
    assert f"was not measured: {found['cost_problem']}" in markdown(found)


def test_tables_and_page_name_what_gives_nothing_and_the_page_loads_nothing(found):
    text, body = markdown(found), html(found)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    widths = [line.count(" | ") for line in lines]
    assert widths == [widths[0]] * (len(NAMES) + 2) + [widths[-1]] * (len(found["families"]) + 2)
    assert lines[2].startswith(f"| {LABEL} |"), "the largest loss comes first"
    for said in (text, body):
        assert "never splits on" in said
        assert "cover for each other" in said
    assert body.count("<tr>") == len(NAMES) + len(found["families"]) + 2
    assert not any(word in body for word in ("http:", "https:", "<script"))


def test_the_ablation_of_the_same_training_set_decides_for_the_families(settings, tmp_path):
    again = feature_review(settings, {"train": PARAMS}, replace(WANTED, repeats=1, ablate=True))
    assert again["ablation"]["seeds"] == 1
    families = {each["name"]: each for each in again["families"]}
    own = next(each["family"] for each in again["features"] if each["name"] == LABEL)
    assert families[own]["ablation"]["worth"]["low"] > 0.1
    empty = next(name for name, names in feature_families(DECLARATION).items() if not {LABEL, *NOISE} & set(names))
    assert families[empty]["ablation"]["worth"]["mean"] == 0
    assert empty in again["nothing"]["families"]
    assert "worth in the ablation" in markdown(again)
    later = feature_review(settings, {"train": PARAMS}, replace(WANTED, repeats=1))
    assert later["families"] == again["families"], "it is read again"
    assert ranker_results(settings.training_dir, "another content") is None
    assert ranker_results(tmp_path, "content") is None


def test_the_command_prints_the_tables_and_writes_page_and_json(settings, monkeypatch, tmp_path, capsys):
    params = tmp_path / "params.yaml"
    params.write_text(json.dumps({"dataset": "tiny", "train": PARAMS}))
    for name, value in {"DATA_DIR": settings.data_dir, "STATE_DIR": settings.state_dir, "PARAMS_FILE": params}.items():
        monkeypatch.setenv(f"RERANK_{name}", str(value))
    monkeypatch.setenv("RERANK_DATASET", "tiny")
    assert main(["--slates", "20", "--repeats", "1", "--split", "test", "--json", str(tmp_path / "found.json")]) == 0
    body = json.loads((tmp_path / "found.json").read_text())
    assert (body["judged_on"], body["model"]["version"], body["model"]["champion"]) == ("test", "1", False)
    assert capsys.readouterr().out == markdown(body) + "\n"
    assert (settings.reports_dir / "features.html").read_text() == html(body)
    assert main(["--version", "77"]) == 2
    assert "has no version 77" in capsys.readouterr().err


def test_the_newest_trained_version_is_reviewed_and_a_baseline_is_refused(settings, tmp_path):
    store = ModelStore(Settings(data_dir=tmp_path, state_dir=tmp_path / "var", dataset="tiny"))
    with pytest.raises(NoModel, match=r"run `python -m training\.train` first"):
        reviewed_model(store, CONTRACT)
    trained = (
        ModelStore(settings).load_version(ModelStore(settings).client.get_model_version("ranker-tiny", "1")).ranker
    )
    versions = [register(store, trained), register(store, trained)]
    baseline = register(store, BaselineRanker("input_order", (("input_position", -1),), NAMES))
    assert reviewed_model(store, CONTRACT).version == versions[1]
    assert reviewed_model(store, CONTRACT, versions[0]).version == versions[0]
    with pytest.raises(OtherModel, match="is a baseline"):
        reviewed_model(store, CONTRACT, baseline)
    fewer = replace(CONTRACT, features=CONTRACT.features[1:])
    with pytest.raises(OtherModel, match=rf"feature '{LABEL}': unknown to the scorer.*training\.train"):
        reviewed_model(store, fewer)
