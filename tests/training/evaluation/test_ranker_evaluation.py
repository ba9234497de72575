import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.models.ranker import BaselineRanker, LightGbmRanker
from training.evaluation.baselines import baselines
from training.evaluation.ranker_evaluation import (
    calibration,
    coldness_slices,
    coverage,
    evaluate,
    one_item,
    without_positive,
)
from training.ranker.lambdamart import fit
from training.training_set.ranking_data import BadTrainingSet, RankingData, load_splits

NAMES = ("signal", "orders_28d", "carts_28d", "views_28d", "bought_count", "bought_age_s", "input_position",
         "user_orders_all", "touched_age_s", "bought_decayed_60d")  # fmt: skip
PARAMS = {
    "seed": 3,
    "rounds": 30,
    "early_stopping_rounds": 10,
    "lightgbm": {"learning_rate": 0.1, "num_leaves": 7, "min_data_in_leaf": 5},
}


def data(slates: int, seed: int) -> RankingData:
    """Slates of ten items whose label depends on ``signal``."""
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(slates * 10, len(NAMES))).astype(np.float32)
    labels = (matrix[:, 0] + 0.3 * rng.normal(size=len(matrix)) > 1.2).astype(np.int64)
    sizes = np.full(slates, 10)
    wanted = np.add.reduceat(labels, np.arange(0, len(labels), 10)) + 1
    return RankingData(matrix, labels, sizes, wanted, NAMES)


@pytest.fixture(scope="module")
def fitted():
    return fit(data(150, 1), data(50, 2), PARAMS, 1)


def test_a_model_finds_the_signal_and_the_baselines_do_not(fitted):
    rankers = {"model": LightGbmRanker(fitted.booster, NAMES), **baselines(NAMES)}
    evaluation = evaluate(rankers, data(100, 3), seed=1, resamples=200)
    assert evaluation.mean("model") > 0.9
    assert evaluation.difference("model", "random").low > 0.2
    assert set(evaluation.intervals()["model"]) >= {"ndcg@10", "mrr", "map@10", "recall@25"}


def test_fitting_twice_gives_the_same_model(fitted):
    again = fit(data(150, 1), data(50, 2), PARAMS, 1)
    assert again.booster.model_to_string() == fitted.booster.model_to_string()


def test_the_order_of_rows_inside_a_slate_is_shuffled_before_fitting():
    some = data(20, 4)
    shuffled = some.shuffled(1)
    assert not np.array_equal(shuffled.matrix, some.matrix)
    for start in range(0, 200, 10):
        rows = slice(start, start + 10)
        assert sorted(map(tuple, shuffled.matrix[rows])) == sorted(map(tuple, some.matrix[rows]))
    both = {tuple(row): label for row, label in zip(some.matrix, some.labels, strict=True)}
    assert [both[tuple(row)] for row in shuffled.matrix] == shuffled.labels.tolist()


def test_shuffled_labels_stay_in_their_slate_and_cannot_be_predicted():
    some = data(150, 1)
    shuffled = some.with_shuffled_labels(9)
    assert np.array_equal(np.add.reduceat(shuffled.labels, some.starts), np.add.reduceat(some.labels, some.starts))
    blind = fit(shuffled, data(50, 2).with_shuffled_labels(9), PARAMS, 1, rounds=30)
    test = data(100, 3).with_shuffled_labels(9)
    rankers = {"m": LightGbmRanker(blind.booster, NAMES), **baselines(NAMES)}
    assert abs(evaluate(rankers, test, seed=1, resamples=200).difference("m", "random").mean) < 0.1


def test_coverage_and_slates_without_positives_by_hand():
    some = RankingData(
        np.zeros((4, 1), np.float32), np.array([1, 0, 0, 0]), np.array([2, 2]), np.array([3, 1]), ("signal",)
    )
    assert coverage(some) == 0.25
    assert without_positive(some) == 1


def test_each_slate_is_in_at_most_one_slice(fitted):
    test = data(100, 3)
    scores = LightGbmRanker(fitted.booster, NAMES).score(test.matrix)
    slices = coldness_slices(scores, test, seed=1, resamples=50)
    counted = sum(group["ndcg@10"]["slates"] for group in slices["user_coldness"].values())
    negative = int((test.column("user_orders_all")[test.starts] < 0).sum())  # a normal variable in this test
    assert 0 < counted <= len(test.sizes) - negative


def test_calibrated_scores_predict_the_share_of_positives(fitted):
    validation, test = data(300, 2), data(300, 3)
    model = LightGbmRanker(fitted.booster, NAMES)
    rows = calibration((model.score(validation.matrix), validation), (model.score(test.matrix), test))
    assert len(rows) == 10
    assert sum(row["rows"] for row in rows) == 3000
    assert all(abs(row["predicted"] - row["observed"]) < 0.12 for row in rows)


def training_file(path, **changes):
    columns = {
        "slate_id": ["1", "1", "2", "2", "3", "3"],
        "user_id": ["u", "u", "v", "v", "", ""],
        "session_id": ["s", "s", "s", "s", "u", "u"],
        "item_id": list("ababab"),
        "event_timestamp": pa.array([1, 1, 2, 2, 3, 3], pa.timestamp("us", "UTC")),
        "label": [1, 0, 1, 0, 2, 0],
        "relevant_total": [1, 1, 1, 1, 1, 1],
        "split": ["train", "train", "validation", "validation", "test", "test"],
        "signal": pa.array([1.0, 2.0, None, None, 4.0, 5.0], pa.float32()),
    }
    pq.write_table(pa.table({**columns, **changes}), path)
    return path


def test_splits_are_read_with_whole_slates(tmp_path):
    found = load_splits(training_file(tmp_path / "t.parquet"), ("signal",))
    assert found["train"].sizes.tolist() == [2]
    assert found["train"].labels.tolist() == [1, 0]
    assert np.isnan(found["validation"].matrix).all()
    assert found["test"].labels.tolist() == [2, 0]


def test_slates_of_one_user_are_one_cluster_and_a_session_stands_for_an_unknown_user(tmp_path):
    some = training_file(tmp_path / "t.parquet", split=["test"] * 4 + ["train", "validation"], slate_id=list("112234"))
    with pytest.raises(BadTrainingSet, match="two or more candidates"):
        load_splits(some, ("signal",))
    columns = {
        "slate_id": list("11223344"),
        "user_id": ["u", "u", "v", "v", "u", "u", "", ""],
        "session_id": list("aabbccuu"),
        "item_id": list("abababab"),
        "event_timestamp": pa.array([1] * 8, pa.timestamp("us", "UTC")),
        "label": [1, 0] * 4,
        "relevant_total": [1] * 8,
        "split": ["test"] * 8,
        "signal": pa.array([0.0] * 8, pa.float32()),
    }
    other = {**columns, "split": ["train"] * 8}
    third = {**columns, "split": ["validation"] * 8}
    tables = [pa.table({**each, "slate_id": [f"{n}-{i}" for i in each["slate_id"]]})
              for n, each in enumerate((other, third, columns))]  # fmt: skip
    pq.write_table(pa.concat_tables(tables), tmp_path / "three.parquet")
    test = load_splits(tmp_path / "three.parquet", ("signal",))["test"].clusters
    assert test[0] == test[2]  # the user u, twice
    assert len(set(test.tolist())) == 3  # the session u is not the user u


def test_slates_of_one_candidate_are_not_judged():
    some = RankingData(
        np.array([[0.0], [1.0], [2.0]], np.float32), np.array([1, 0, 1]), np.array([1, 2]), np.array([1, 1]), ("x",),
        clusters=np.array([4, 7]),
    )  # fmt: skip
    assert one_item(some) == 1
    judged = some.judged()
    assert (judged.labels.tolist(), judged.sizes.tolist(), judged.clusters.tolist()) == ([0, 1], [2], [7])
    assert judged.matrix.tolist() == [[1.0], [2.0]]
    ranker = BaselineRanker("x", (("x", -1),), ("x",))
    found = evaluate({"x": ranker}, some, seed=0, resamples=10)
    assert len(found.per_slate["x"]["ndcg@10"]) == 1
    assert found.users == 1


def test_a_training_set_without_file_column_or_positive_is_refused(tmp_path):
    with pytest.raises(BadTrainingSet, match=r"training\.training_set"):
        load_splits(tmp_path / "none.parquet", ("signal",))
    with pytest.raises(BadTrainingSet, match="colour"):
        load_splits(training_file(tmp_path / "t.parquet"), ("signal", "colour"))
    with pytest.raises(BadTrainingSet, match="validation"):
        load_splits(training_file(tmp_path / "u.parquet", label=[1, 0, 0, 0, 1, 0]), ("signal",))
