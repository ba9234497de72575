import lightgbm
import numpy as np
import pytest
import yaml

from infra.settings import PROJECT_ROOT
from training.buyers.buyer_features import FEATURE_NAMES
from training.recommend.expected_recall import MODEL_FILE, NAMES, RecallModel, basket_size, recall_matrix, usual_basket
from training.recommend.judged_lists import ListMass

PARAMS = yaml.safe_load((PROJECT_ROOT / "params.yaml").read_text())["recommend"]["batch"]["recall"]


def users(items: list[float], days: list[float]) -> np.ndarray:
    found = np.full((len(items), len(FEATURE_NAMES)), np.nan, np.float32)
    found[:, FEATURE_NAMES.index("user_items_28d")] = items
    found[:, FEATURE_NAMES.index("order_days_28d")] = days
    return found


def test_a_basket_is_drawn_to_the_usual_one_by_two_order_days():
    matrix = users([30, 2, 0], [2, 2, 0])
    assert usual_basket(matrix) == 8
    assert basket_size(matrix, 8.0).tolist() == [(30 + 16) / 4, (2 + 16) / 4, 8]
    assert basket_size(users([0.0], [np.nan]), 0.0).tolist() == [1]


def test_the_matrix_holds_the_list_s_features_and_then_the_user_s():
    matrix = users([30, 2], [2, 2])
    found = recall_matrix(ListMass(np.array([3.0, 0.0]), np.array([4.0, 0.0])), matrix, 8.0)
    assert found.shape == (2, len(NAMES))
    assert found[0, :5].tolist() == [3, 4, 0.75, 11.5, np.float32(3 / 11.5)]
    assert np.isnan(found[1, 2])
    np.testing.assert_array_equal(found[:, 5:], matrix)


def test_lists_of_small_baskets_are_expected_to_have_more_recall():
    generator = np.random.default_rng(3)
    baskets = generator.uniform(1, 20, 600)
    recall = np.clip(1 / baskets + generator.normal(0, 0.05, 600), 0, 1)
    matrix = recall_matrix(ListMass(np.ones(600), np.ones(600)), users((baskets * 4).tolist(), [4] * 600), 10.0)
    model = RecallModel.fit(matrix, recall, PARAMS, threads=1)
    found = model(matrix)
    assert np.corrcoef(found, recall)[0, 1] > 0.7
    assert ((found >= 0) & (found <= 1)).all()
    assert np.array_equal(found, RecallModel.fit(matrix, recall, PARAMS, threads=1)(matrix))


def test_few_lists_give_a_model_too():
    matrix = recall_matrix(ListMass(np.ones(3), np.ones(3)), users([1, 2, 3], [1, 1, 1]), 2.0)
    assert RecallModel.fit(matrix, np.full(3, 0.5), PARAMS, threads=1)(matrix) == pytest.approx([0.5] * 3)


def test_it_is_saved_as_text(tmp_path):
    matrix = recall_matrix(ListMass(np.ones(3), np.ones(3)), users([1, 2, 3], [1, 1, 1]), 2.0)
    model = RecallModel.fit(matrix, np.full(3, 0.5), PARAMS, threads=1)
    model.save(tmp_path)
    read = lightgbm.Booster(model_str=(tmp_path / MODEL_FILE).read_text())
    np.testing.assert_array_equal(read.predict(matrix), model(matrix))
