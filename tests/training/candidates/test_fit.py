"""Parameters of the sources that cannot be: they are named before a model is registered with them."""

import copy

import pytest

from tests.training.candidates.small_shop import KNOWN_AT, make_shop
from training.candidates.fit import BadSources, fit_sources


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_shop(tmp_path_factory.mktemp("shop"))


BAD = [
    ("own_history", {"half_life_days": 21}, "half_life_days of own_history is 21"),
    ("covisitation", {"days": None}, "'days' is missing"),
    ("covisitation", {"targets": {"orders": 1.0}}, "targets has orders"),
    ("covisitation", {"seeds": {"half_life": 60}}, "half_life"),
    # These could be fitted, and each request failed.
    ("covisitation", {"seeds": {"half_life_days": 21}}, "seeds.half_life_days is 21"),
    ("trending", {"seeds": {"actions": {"cart": 1.0}}}, "seeds.actions has cart"),
    ("trending", {"weights": {"overall": 1.0}}, "weights are those of overall"),
    ("trending", {"windows": {0: 1.0}}, "windows are"),
    ("trending", {"actions": {"orders": 1.0}}, "actions"),
    ("trending", {"candidates": "many"}, "candidates is 'many'"),
    ("buy_again", {"candidates": -1}, "candidates is -1"),
]


@pytest.mark.parametrize(("name", "changed", "message"), BAD)
def test_a_parameter_that_cannot_be_is_named_with_its_source(shop, name, changed, message):
    params = copy.deepcopy(shop.params)
    params["sources"] = {name: {k: v for k, v in {**params["sources"][name], **changed}.items() if v is not None}}
    with pytest.raises(BadSources, match=message) as refused:
        fit_sources(shop.settings, params, KNOWN_AT)
    assert f"recommend.sources.{name}" in str(refused.value)


def test_a_source_that_does_not_exist_is_named(shop):
    params = {**shop.params, "sources": {"popular": {"candidates": 0}}}
    with pytest.raises(BadSources, match="unknown \\['popular'\\]"):
        fit_sources(shop.settings, params, KNOWN_AT)
