"""What the command hands on, and arguments that are refused before anything is read."""

from argparse import Namespace

import pytest

from infra.params import merged
from tests.small_log import at
from tests.training.buyers.small_shop import DAYS, PARAMS, small_shop
from tests.training.tune.test_buyers_task import RECOMMEND
from training.tune.buyers_task import buyers_task
from training.tune.command import main, task_of

BAD = [
    (["recommender", "--wider", "0.5"], "--wider is a number of at least 1"),
    (["recommender", "--wider", "nan"], "--wider is a number of at least 1"),
    (["buyers", "--minutes", "nan"], "--minutes is a number of at least 0"),  # would run for ever
    (["buyers", "--trials", "0"], "'0' is not a whole number of at least 1"),
    (["ranker", "--at", "2024-03-01T00:00:00Z"], "--at is not for the ranker"),
    (["buyers", "--half-lives"], "--half-lives is for the recommender"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_an_argument_that_cannot_be_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_the_buyers_are_tuned_before_the_windows_of_their_own_data_set(tmp_path):
    shop = small_shop(tmp_path)
    own = {"windows": {"test": 6}, "buyers": {"seed": 9}}
    params = merged({"recommend": RECOMMEND}, {"recommend": own})
    task = task_of(shop, Namespace(model="buyers", at=at(DAYS)), params)
    cut = small_shop(tmp_path / "cut", until=at(DAYS - 18))  # six test windows of three days
    assert task.study_name == buyers_task(cut, params["recommend"], at(DAYS)).study_name
    assert params["recommend"]["buyers"] == {**PARAMS, "seed": 9}
