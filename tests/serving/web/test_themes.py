from __future__ import annotations

import pytest

from feature_repo.candidates.union import KINDS, source_features
from feature_repo.datasets.declarations.built_in import BUILT_IN
from feature_repo.model_features import model_features
from serving.web.themes import duration, theme_of

NAN = float("nan")
HOUR, DAY = 3600.0, 86_400.0
BY_NAME = {each.name: each for each in (*model_features(BUILT_IN["complete_journey"]), *source_features(tuple(KINDS)))}


@pytest.mark.parametrize(
    ("feature", "values", "detail"),
    [
        ("bought_rate", {"bought_count": 3.0, "bought_age_s": 3 * DAY}, "3 times, last 3 days ago"),
        ("bought_rate", {"bought_count": 1.0, "bought_age_s": NAN}, "once"),
        ("bought_count", {"bought_count": 0.0}, "not bought so far"),
        ("bought_count", {}, "not bought so far"),
        ("category_share", {"category_share": 0.25}, "25% of what you ordered"),
        ("orders_7d", {"orders_28d": 1.0}, "1 order in 28 days"),
        ("price", {"price": 1234.5}, "1,234.50"),
        ("price_vs_slate", {"price": None}, "unknown"),
        ("trending_score", {"trending_rank": 4.0}, "number 5 there"),
        ("als_rank", {"als_rank": NAN}, "not listed there"),
        ("is_private_brand", {"is_private_brand": 1.0}, "yes"),
        ("input_position", {"input_position": 0.0}, "number 1"),
        ("in_cart", {"in_cart": 1.0}, "it is in the cart"),
        ("category_id", {"category_id": "dairy"}, "dairy"),
        ("brand", {"brand": None}, "unknown"),
        ("shop_id", {"shop_id": "north"}, "north"),
    ],
)
def test_a_theme_says_what_is_so_of_the_item(feature: str, values: dict[str, float | None], detail: str) -> None:
    assert theme_of(BY_NAME[feature]).detail(values) == detail


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "0 seconds"), (119.0, "119 seconds"), (120.0, "2 minutes"), (2 * HOUR, "2 hours"), (47 * HOUR, "47 hours"),
     (2 * DAY, "2 days"), (13 * DAY, "13 days"), (14 * DAY, "2 weeks"), (700 * DAY, "100 weeks"), (1.0, "1 second")],
)  # fmt: skip
def test_a_duration_is_in_the_largest_unit_of_which_it_has_two(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_feature_of_every_data_set_has_words(name: str) -> None:
    features = (*model_features(BUILT_IN[name]), *source_features(tuple(KINDS)))
    assert all(theme_of(feature).words for feature in features)
    for feature in features:
        words = theme_of(feature).words
        assert "_" not in words, f"{feature.name} is explained by the name of a feature: {words}"
