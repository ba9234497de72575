"""The model of the small shop, fitted once; and again on a log that ends where it was asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from feature_repo.store import open_store
from infra.models.ranker import MODEL_CARD, BadModel
from infra.settings import Settings
from tests.small_log import DECLARATION, at
from tests.training.buyers.small_shop import PARAMS, order_days, small_shop
from training.buyers.buyer_features import FEATURE_NAMES
from training.buyers.buyer_model import CARD, BuyerModel
from training.buyers.evaluation import BASELINES, MODEL
from training.buyers.orders import open_orders
from training.buyers.registration import MODEL_FOLDER, buyers_store, register_buyers
from training.buyers.training_run import BuyerRun, fit_and_judge
from training.buyers.windows import LabelledWindows, TooFewWindows

AT = at(60)


@dataclass(frozen=True)
class Fitted:
    settings: Settings
    run: BuyerRun

    def model_text(self) -> str:
        return self.run.model.trees.booster.model_to_string()


def fit(settings: Settings) -> Fitted:
    with open_orders(settings, AT) as orders:
        return Fitted(settings, fit_and_judge(settings, PARAMS, orders, AT, 3))


@pytest.fixture(scope="module")
def fitted(shop) -> Fitted:
    return fit(shop)


def test_who_orders_every_third_day_is_likely_to_and_who_is_not_due_is_not(fitted):
    probabilities = dict(
        zip(fitted.run.users.ids.to_pylist(), fitted.run.model.probabilities(fitted.run.users.matrix), strict=True)
    )
    buys = {f"u{user:02d}" for user in range(20) if {60, 61, 62} & set(order_days(user))}
    assert {f"u{user:02d}" for user in range(12)} <= buys
    assert min(probabilities[f"u{user:02d}"] for user in range(12)) > 0.7
    assert max(p for user, p in probabilities.items() if user not in buys) < 0.5


def test_later_events_change_nothing(fitted, tmp_path):
    cut = fit(small_shop(tmp_path, until=AT))
    assert cut.model_text() == fitted.model_text()
    assert cut.run.model.scaling == fitted.run.model.scaling
    np.testing.assert_array_equal(cut.run.users.matrix, fitted.run.users.matrix)


def test_labels_are_who_ordered_in_the_window(shop):
    with open_orders(shop, AT) as orders:
        found = LabelledWindows(open_store(shop), orders, 3).of([at(57), at(54)])
    expected = [
        int(bool(set(range(day, day + 3)) & set(order_days(int(user[1:])))))
        for day, user in zip([54] * 20 + [57] * 20, found.ids.to_pylist(), strict=True)
    ]
    assert found.labels.tolist() == expected
    assert 0 < sum(expected) < len(expected)


def test_a_share_of_the_users_of_each_window_is_drawn_where_there_are_too_many(shop):
    with open_orders(shop, AT) as orders:
        store = open_store(shop)
        drawn, every = (LabelledWindows(store, orders, 3, rows).of([at(57), at(54)]) for rows in (12, None))
    assert len(every) == 40
    assert 0 < len(drawn) < 36
    users = list(zip(every.starts.tolist(), every.ids.to_pylist(), every.labels.tolist(), strict=True))
    assert set(zip(drawn.starts.tolist(), drawn.ids.to_pylist(), drawn.labels.tolist(), strict=True)) <= set(users)


def test_the_features_of_a_live_session_are_read(shop):
    when = at(56, 36_020)  # five users have just ordered three items each
    with open_orders(shop, at(59, 36_020)) as orders:
        run = LabelledWindows(open_store(shop), orders, 3).of([when])
    ages = dict(zip(run.ids.to_pylist(), run.matrix[:, FEATURE_NAMES.index("session_age_s")], strict=True))
    assert {user for user, age in ages.items() if not np.isnan(age)} == {"u02", "u05", "u08", "u11", "u16"}
    assert ages["u02"] == 20 - 2 - 2  # the third item, two seconds after the user's first at second 2
    orders_of = dict(zip(run.ids.to_pylist(), run.matrix[:, FEATURE_NAMES.index("session_orders")], strict=True))
    assert orders_of["u02"] == 3
    assert np.isnan(orders_of["u00"])


def test_each_judged_window_comes_after_what_its_model_knew(fitted):
    evaluation = fitted.run.evaluation
    assert evaluation.starts == (at(54), at(57))
    assert set(evaluation.rows) == {MODEL, *BASELINES}
    assert evaluation.rows[MODEL]["auc"] > evaluation.rows["recency"]["auc"]
    assert sum(row["users"] for row in evaluation.calibration) == evaluation.users == 40


def test_the_model_is_read_back_from_text(fitted, tmp_path):
    fitted.run.model.save(tmp_path)
    found = BuyerModel.load(tmp_path)
    matrix = fitted.run.users.matrix
    np.testing.assert_array_equal(found.probabilities(matrix), fitted.run.model.probabilities(matrix))
    assert (found.days, found.known_at, found.rounds) == (3, AT, fitted.run.model.rounds)
    for file in (CARD, MODEL_CARD):
        (tmp_path / file).write_text("{}")
        with pytest.raises(BadModel, match=file):
            BuyerModel.load(tmp_path)


def test_the_registry_holds_the_model_with_its_evaluation(fitted):
    version = register_buyers(
        fitted.settings, DECLARATION, fitted.run.model, PARAMS, fitted.run.evaluation, promoted=True
    )
    store = buyers_store(fitted.settings)
    loaded, model = store.load_with(lambda folder: BuyerModel.load(folder / MODEL_FOLDER))
    assert (loaded.name, loaded.version) == ("buyers-tiny", version)
    assert loaded.contract.feature_names == FEATURE_NAMES
    assert model.known_at == AT
    run = store.client.get_run(loaded.run_id)
    assert run.data.metrics["model.auc"] == fitted.run.evaluation.rows[MODEL]["auc"]
    files = {file.path for file in store.client.list_artifacts(loaded.run_id, "plots")}
    assert files == {"plots/importance.png", "plots/calibration.png"}


def test_a_log_without_a_window_to_learn_from_is_an_error(shop):
    with open_orders(shop, at(35)) as orders, pytest.raises(TooFewWindows, match="none to train on"):
        fit_and_judge(shop, PARAMS, orders, at(35), 3)
    with open_orders(shop, at(0)) as orders, pytest.raises(TooFewWindows, match="no event before"):
        fit_and_judge(shop, PARAMS, orders, at(0), 3)
