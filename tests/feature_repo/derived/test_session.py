import math

import numpy as np
import pytest

from tests.feature_repo.derived.slates import DECLARATION, SESSION, derive, slate


def test_session_facts_by_hand():
    found = derive(slate(session=SESSION), DECLARATION)
    assert found["touched_count"].tolist() == [0, 2, 0]
    assert found["touched_action"].tolist() == [0, 1, 0]
    assert found["touched_last"].tolist() == [0, 1, 0]
    assert found["in_cart"].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(found["touched_age_s"], np.float32([math.nan, 1800, math.nan]))


def test_an_item_in_the_cart_is_marked():
    found = derive(slate(session={**SESSION, "cart_items": ["c", "q"]}), DECLARATION)
    assert found["in_cart"].tolist() == [0, 0, 1]


@pytest.mark.parametrize("name", ["touched_count", "touched_last", "in_cart"])
def test_of_an_unknown_session_nothing_is_known(name):
    assert np.isnan(derive(slate(), DECLARATION)[name]).all()
