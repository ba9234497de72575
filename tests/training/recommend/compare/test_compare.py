"""Ways of choosing two of three users, by hand; and the command over the small shop."""

import json

import numpy as np
import pytest

import training.recommend.compare.__main__ as compare
from tests.small_log import at
from tests.training.buyers.small_shop import small_shop
from tests.training.recommend.batch_shop import DAY, K, environment, write_params
from training.buyers.buyer_features import FEATURE_NAMES
from training.recommend.submission import Submission

LISTS = Submission(["u", "v", "w"], [["a"], ["b"], ["c"]])
BOUGHT = {"u": {"a", "b"}, "v": {"b"}, "x": {"c"}}


def test_each_way_is_judged_by_the_users_that_it_chooses():
    ways = {"first": np.array([3.0, 2.0, 1.0]), "last": np.array([1.0, 2.0, 3.0])}
    found = compare.recall_of_ways(LISTS, ways, BOUGHT, users=1, k=1)
    assert {name: values.tolist() for name, values in found.items()} == {"first": [0.5, 0, 0], "last": [0, 0, 0]}


def test_users_without_an_order_are_chosen_last_by_recency():
    users = np.full((3, len(FEATURE_NAMES)), np.nan, np.float32)
    users[:, FEATURE_NAMES.index("order_age_days")] = [np.nan, 5, 2]
    users[:, FEATURE_NAMES.index("user_orders_all")] = [0, 9, 1]
    found = compare.ways_to_choose(np.arange(3.0), np.ones(3), users)
    assert np.argsort(-found["recency"]).tolist() == [2, 1, 0]
    assert np.argsort(-found["frequency"]).tolist() == [1, 2, 0]
    assert found[compare.EXPECTED].tolist() == [0, 1, 2]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    found = small_shop(folder).model_copy(update={"params_file": folder / "params.yaml"})
    write_params(found)
    return found


def test_expected_recall_is_compared_with_every_other_way(settings, capsys):
    file = settings.params_file.with_name("compare.json")
    with environment(settings):
        assert compare.main(["--at", at(DAY).isoformat(), "--users", "6", "--k", str(K), "--json", str(file)]) == 0
    body = json.loads(file.read_text())
    assert body["buyers"] == [12]  # the regular users; days 60 to 62 are none of a rare one
    assert set(body["ways"]) == {"expected recall", "probability", "recency", "frequency", "frequency_28d"}
    row = body["ways"]["recency"]
    lists = body["lists"]
    difference = body["ways"]["expected recall"]["pooled"]["mean"] - row["pooled"]["mean"]
    assert row["first_minus_it"]["mean"] == pytest.approx(difference)
    assert lists["recommender"]["pooled"]["mean"] >= body["ways"]["expected recall"]["pooled"]["mean"]
    assert {"popular", "personal frequency", "decayed 60 d", "TIFU-KNN", "source own_history"} <= set(lists)
    assert f"| recency | {row['windows'][0]:.4f} |" in capsys.readouterr().out


def test_a_window_that_has_not_happened_cannot_be_compared(settings, capsys):
    with environment(settings):
        assert compare.main(["--at", at(74).isoformat()]) == 2
    assert "has not happened" in capsys.readouterr().err
