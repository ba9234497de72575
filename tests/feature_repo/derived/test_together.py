import numpy as np
import pytest

from tests.feature_repo.derived.slates import DECLARATION, derive, slate


def test_companion_shares_are_summed_over_the_items_in_the_cart():
    found = derive(slate(companions={"q": (["a", "z"], [0.5, 0.1]), "r": (["a", "b"], [0.25, 0.125])}), DECLARATION)
    assert found["together_sum"].tolist() == [0.75, 0.125, 0]
    assert found["together_max"].tolist() == [0.5, 0.125, 0]


def test_items_that_are_never_ordered_with_the_cart_have_zeros():
    found = derive(slate(companions={"q": (["z"], [0.5])}), DECLARATION)
    assert found["together_sum"].tolist() == found["together_max"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["together_sum", "together_max"])
def test_without_a_cart_nothing_is_known(name):
    assert np.isnan(derive(slate(), DECLARATION)[name]).all()
