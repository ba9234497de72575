import math

import numpy as np

from tests.feature_repo.derived.slates import DECLARATION, NOW, SESSION, USER, derive, slate


def test_ages_by_hand():
    found = derive(slate(user=USER, session=SESSION), DECLARATION)
    np.testing.assert_array_equal(found["item_age_s"], np.float32([7200, math.nan, math.nan]))
    np.testing.assert_array_equal(found["item_last_order_age_s"], np.float32([3600, math.nan, math.nan]))
    assert found["user_age_s"].tolist() == [360_000] * 3
    assert found["user_last_order_age_s"].tolist() == [18_000] * 3
    assert found["session_age_s"].tolist() == [3600] * 3
    assert found["session_idle_s"].tolist() == [1800] * 3


def test_an_age_is_exact_to_the_microsecond_before_it_is_rounded_to_float32():
    late = {**USER, "user_last_order_us": NOW - 1}
    assert derive(slate(user=late), DECLARATION)["user_last_order_age_s"][0] == np.float32(1e-6)


def test_of_an_unknown_user_and_session_no_age_is_known():
    found = derive(slate(), DECLARATION)
    for name in ("user_age_s", "user_last_order_age_s", "session_age_s", "session_idle_s"):
        assert np.isnan(found[name]).all()
