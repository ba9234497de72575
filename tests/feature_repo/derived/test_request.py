import math

import numpy as np

from feature_repo.slate import floats
from tests.feature_repo.derived.slates import DECLARATION, derive, slate


def test_request_facts_are_in_the_data_sets_own_time_zone():
    found = derive(slate(context={"store_id": "330"}), DECLARATION)
    assert found["hour"].tolist() == [8] * 3
    assert found["weekday"].tolist() == [0] * 3
    assert found["slate_size"].tolist() == [3] * 3
    assert found["input_position"].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found["price_vs_slate"], np.float32([0.5, 1.5, math.nan]))


def test_without_a_price_there_is_none_to_compare():
    whole = slate()
    found = derive(slate(items={**whole.items, "price": floats([None] * 3)}), DECLARATION)
    assert np.isnan(found["price_vs_slate"]).all()
