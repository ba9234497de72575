"""Arguments that cannot be are refused before anything is read."""

import pytest

from training.tune.command import main

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
