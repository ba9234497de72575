from __future__ import annotations

import numpy as np
import pytest

from tests.shapes.gap import closed_share

ALONE = np.arange(400)


def test_a_model_half_way_to_the_oracle_closes_half_of_the_gap() -> None:
    base, oracle = np.full(400, 0.2), np.full(400, 0.6)
    found = closed_share(np.full(400, 0.4), base, oracle, ALONE)
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))
    assert closed_share(oracle, base, oracle, ALONE).mean == pytest.approx(1)
    assert closed_share(np.full(400, 0.1), base, oracle, ALONE).mean == pytest.approx(-0.25)


def test_the_interval_is_that_of_the_ratio_of_means() -> None:
    rng = np.random.default_rng(2)
    base = rng.random(400)
    oracle = base + 0.4
    model = base + 0.2 + rng.normal(scale=0.3, size=400)
    found = closed_share(model, base, oracle, ALONE)
    error = 1.96 * (model - base).std() / np.sqrt(400) / 0.4  # the gap is the same in every slate
    assert found.mean - found.low == pytest.approx(error, rel=0.1)
    assert found.high - found.mean == pytest.approx(error, rel=0.1)


def test_slates_of_one_user_are_drawn_together() -> None:
    rng = np.random.default_rng(2)
    base, oracle = np.zeros(400), np.ones(400)
    model = np.repeat(rng.normal(scale=0.3, size=20), 20)
    alone, together = (closed_share(model, base, oracle, each) for each in (ALONE, ALONE // 20))
    assert together.high - together.low == pytest.approx((alone.high - alone.low) * np.sqrt(20), rel=0.15)


def test_slates_without_a_positive_are_left_out() -> None:
    nothing = np.full(3, np.nan)
    found = closed_share(
        np.append(np.full(9, 0.4), nothing), np.append(np.full(9, 0.2), nothing), np.append(np.full(9, 0.6), nothing),
        np.arange(12),
    )  # fmt: skip
    assert found.mean == pytest.approx(0.5)


def test_without_a_gap_there_is_no_share() -> None:
    assert np.isnan(closed_share(np.ones(5), np.ones(5), np.ones(5), np.arange(5)).mean)
