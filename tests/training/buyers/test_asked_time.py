from datetime import timedelta, timezone

import pytest

from tests.small_log import at
from tests.training.buyers.small_shop import DAYS
from training.candidates.asked_time import BadTime, asked_time


def test_without_a_timestamp_it_is_the_newest_midnight_of_the_features(shop):
    assert asked_time(shop, None) == at(DAYS)


def test_a_timestamp_is_taken_in_utc(shop):
    found = asked_time(shop, at(60).astimezone(timezone(timedelta(hours=5))))
    assert found == at(60)
    assert found.utcoffset() == timedelta(0)


def test_a_time_after_the_log_and_the_features_is_refused(shop):
    with pytest.raises(BadTime, match="is after what is known"):
        asked_time(shop, at(DAYS, 1))


def test_features_that_were_not_built_are_an_error_that_says_what_to_do(shop, tmp_path):
    with pytest.raises(BadTime, match=r"feature_repo\.build"):
        asked_time(shop.model_copy(update={"data_dir": tmp_path}), None)
