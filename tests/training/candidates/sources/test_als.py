"""What is factorised, and that it finds two groups of users who order different things."""

import numpy as np
import pytest

pytest.importorskip("implicit")

from tests.feature_repo.candidates.sources.histories import asked
from tests.training.candidates.known import known_log
from training.candidates.sources import als

PARAMS = {
    "half_life_days": 180, "users": 99, "min_buyers": 2, "factors": 2, "alpha": 10.0, "regularization": 0.1,
    "iterations": 10, "seed": 7,
}  # fmt: skip


@pytest.fixture
def log(tmp_path):
    rng = np.random.default_rng(3)
    acts = [
        (float(day), f"u{user:02d}", "order", f"{'xy'[user % 2]}{rng.integers(6)}")
        for user in range(24)
        for day in range(8)
    ]
    with known_log(tmp_path, [*acts, (5, "u00", "order", "rare")]) as found:
        yield found


def test_a_user_gets_what_users_with_the_same_orders_have(log):
    source = als.fit(log, PARAMS)
    ids = log.codes.ids.to_pylist()
    assert [ids[code] for code in source.items] == [each for each in ids if each != "rare"]
    found = source.candidates(asked([("x1", 1, 0, 0)], [("y4", 1, 0, 0)], codes=log.codes), 5)
    names = log.codes.decode(found.items)
    assert {name[0] for name in names[:5]} == {"x"}
    assert {name[0] for name in names[5:]} == {"y"}
    similar = log.codes.decode(source.similar(log.codes.encode(["x1"]), 3).items)
    assert {name[0] for name in similar} == {"x"}


def test_without_enough_buyers_there_is_no_source(log):
    assert als.fit(log, PARAMS | {"min_buyers": 99}) is None
