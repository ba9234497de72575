"""The run of stage two on a small shop: what it writes, registers and promotes."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from feature_repo.apply import apply
from feature_repo.candidates.union import Sources
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.store import open_store
from infra.models.model_store import ModelStore
from infra.settings import PROJECT_ROOT
from tests.small_log import at, impression
from tests.training.buyers.small_shop import DAYS, REGULARS, basket, order_days, small_shop
from training.candidates import fit
from training.evaluation.platt_scaling import PlattScaling
from training.stage_two.predict import ranked
from training.stage_two.recommender import Recommender
from training.stage_two.training_run import FOLDER, train
from training.stage_two.training_set import write_training_set

SOURCES = yaml.safe_load((PROJECT_ROOT / "params.yaml").read_text())["recommend"]["sources"]
PARAMS = {
    "candidates": 20,
    "sources": {name: {**SOURCES[name], "candidates": 10} for name in ("own_history", "trending")},
    "windows": {"days": 3, "every_days": 3, "train": 6, "validation": 2, "test": 3, "fit_every": 2},
    "lists": {"users": 100, "sessions": 5, "negatives": 0.5},
    "train": {
        "seed": 7,
        "rounds": 40,
        "early_stopping_rounds": 20,
        "bootstrap_resamples": 200,
        "weights": "per_list",
        "lightgbm": {"objective": "binary", "num_leaves": 7, "min_data_in_leaf": 20, "learning_rate": 0.1},
    },
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return small_shop(tmp_path_factory.mktemp("stage_two"))


@pytest.fixture(scope="module")
def metrics(shop):
    return train(shop, PARAMS, at(DAYS))


@pytest.fixture(scope="module")
def rows(shop, metrics):
    return pq.read_table(shop.training_dir / FOLDER / "training_set.parquet")


def store(shop) -> ModelStore:
    return ModelStore(shop, shop.recommend_name)


def test_a_model_is_judged_by_recall_and_registered_with_its_sources(shop, metrics):
    assert metrics["paired"]["metric"] == "recall@25"
    assert metrics["rankers"].keys() >= {"recommender", "input_order", "decayed_frequency"}
    model, sources = store(shop).load_with(lambda folder: Sources.load(folder / "sources"))
    assert sources.names == ("own_history", "trending")
    assert sources.known_at_us == int(at(DAYS).timestamp() * 1e6)
    assert model.contract.feature_names[-4:] == (
        "own_history_score", "own_history_rank", "trending_score", "trending_rank",
    )  # fmt: skip


def test_the_same_run_gives_the_same_training_set(shop, metrics):
    recipe = (shop.training_dir / FOLDER / "recipe.json").read_text()
    train(shop, PARAMS, at(DAYS))
    assert (shop.training_dir / FOLDER / "recipe.json").read_text() == recipe


def test_negatives_are_left_out_in_train_only(rows):
    sizes = {split: rows.filter(pc.field("split") == split).group_by("slate_id").aggregate([("item_id", "count")])
             for split in ("train", "validation", "test")}  # fmt: skip
    mean = {split: np.mean(found["item_id_count"].to_numpy()) for split, found in sizes.items()}
    assert mean["train"] < 0.75 * mean["test"]
    assert mean["validation"] == pytest.approx(mean["test"], rel=0.2)


def test_no_wanted_item_is_added_to_a_list(rows):
    """Each candidate is named by a source, and some wanted items are not among the candidates."""
    named = ~np.isnan(rows["own_history_score"].to_numpy()) | ~np.isnan(rows["trending_score"].to_numpy())
    assert named.all()
    positives = rows.filter(pc.field("label") > 0).group_by("slate_id").aggregate([("label", "count")])
    wanted = rows.group_by("slate_id").aggregate([("relevant_total", "max")])
    assert positives["label_count"].to_numpy().sum() < wanted["relevant_total_max"].to_numpy().sum()


def test_the_lists_of_many_users_are_the_models_order(shop, metrics):
    model, sources = store(shop).load_with(lambda folder: Sources.load(folder / "sources"))
    recommender = Recommender(model.ranker, sources, PlattScaling(1.0, 0.0))
    reader = PointInTimeReader(open_store(shop), declaration_of(shop))
    found = ranked(reader, recommender, at(DAYS), ["u00", "nobody"])
    assert (found.lists.lengths > 0).all()  # who is unknown is offered what is ordered most
    for user in range(2):
        scores = found.score[found.lists.slice(user)]
        assert (np.diff(scores) <= 0).all()
    assert {"i00", "j00"} <= set(found.item_id[found.lists.slice(0)][:4])  # what u00 orders every third day
    texts = {item: item for item in found.item_id}
    assert len(texts) < len(found.item_id)
    assert all(item is texts[item] for item in found.item_id)  # in memory each id is there once
    with pytest.raises(ValueError, match="the sources know what was received after"):
        ranked(reader, recommender, at(DAYS - 1), ["u00"])


def test_a_source_that_could_not_be_fitted_yet_is_unknown_in_the_early_windows(shop, rows, tmp_path, monkeypatch):
    begins = at(DAYS - 15)
    trending = fit.FITS["trending"]
    late = {**fit.FITS, "trending": lambda log, params: trending(log, params) if log.known_at >= begins else None}
    monkeypatch.setattr(fit, "FITS", late)
    written = write_training_set(shop, PARAMS, at(DAYS), tmp_path)
    found = pq.read_table(written.path)
    early = found["event_timestamp"].to_numpy() < np.datetime64(begins.replace(tzinfo=None))
    known = ~np.isnan(found["trending_rank"].to_numpy())
    assert early.any()
    assert not known[early].any()
    assert known[~early].any()
    assert found.schema == rows.schema


def test_a_log_that_is_too_short_serves_the_sources_order(tmp_path):
    shop = small_shop(tmp_path, until=at(12))
    found = train(shop, PARAMS, at(12))
    assert found["decision"].startswith("no model is trained: the log has 11 days: too few")
    assert found["champion"] == "input_order"
    model, sources = store(shop).load_with(lambda folder: Sources.load(folder / "sources"))
    assert (model.kind, sources.names) == ("baseline", ("own_history", "trending"))
    assert json.loads((shop.training_dir / FOLDER / "run/metrics.json").read_text()) == found


def test_a_log_in_which_nothing_is_ordered_serves_the_sources_order(shop, metrics, tmp_path):
    """As clicks alone are."""
    shutil.copytree(shop.data_dir, tmp_path / "data")
    clicks = shop.model_copy(update={"data_dir": tmp_path / "data", "state_dir": tmp_path / "var"})
    path = clicks.log_dir / "events.parquet"
    events = pq.read_table(path)
    views = pa.array(["view"] * len(events), events.schema.field("action").type)
    pq.write_table(events.set_column(events.schema.get_field_index("action"), "action", views), path)
    apply(clicks)
    found = train(clicks, PARAMS, at(DAYS))
    assert found["decision"].startswith("no model is trained: nothing was ordered from ")
    assert found["champion"] == "input_order"


def test_nothing_is_promoted_where_outcomes_stand_before_their_slates(shop, metrics, tmp_path):
    """The slates are dated half an hour after their orders, as a mistake with time zones does."""
    shutil.copytree(shop.data_dir, tmp_path / "data")
    shifted = shop.model_copy(update={"data_dir": tmp_path / "data", "state_dir": tmp_path / "var"})
    path = shifted.log_dir / "impressions.parquet"
    slates = []
    for user in range(REGULARS):
        for day in order_days(user)[10:20]:
            ids = {"user_id": f"u{user:02d}", "session_id": f"u{user:02d}-{day}"}
            items = enumerate(basket(user, day))
            slates += [impression(f"{user}-{day}", n, at(day, 37_800), each, 1, **ids) for n, each in items]
    pq.write_table(pa.Table.from_pylist(slates, schema=pq.read_schema(path)), path)
    apply(shifted)
    found = train(shifted, PARAMS, at(DAYS))
    assert found["decision"].startswith(
        "not promoted: 360 of 360 positives (100%) have their outcome before their slate and none at or after it"
    )
    assert not found["promoted"]
    assert found["champion"] == "input_order"
