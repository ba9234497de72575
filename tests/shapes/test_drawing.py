from __future__ import annotations

import numpy as np
import pytest

from tests.shapes.drawing import instants, picked, stream, wandering

MONDAY = 1_709_510_400_000_000  # 2024-03-04


def test_times_fall_into_the_hours_and_the_weekdays_with_a_share() -> None:
    hours, week = np.zeros(24), np.zeros(7)
    hours[9], week[[0, 2]] = 1, 1
    us = instants(stream(1, "times"), 400, MONDAY, 14, hours, week).astype("datetime64[us]")
    assert set((us.astype("datetime64[h]").astype(int) % 24).tolist()) == {9}
    days = {"2024-03-04", "2024-03-06", "2024-03-11", "2024-03-13"}
    assert set(us.astype("datetime64[D]").astype(str).tolist()) == days
    assert (us[1:] >= us[:-1]).all()


def test_a_choice_follows_its_logits() -> None:
    rng = stream(1, "choices")
    first = np.array([picked(rng, np.log([0.7, 0.2, 0.1]), 1)[0] for _ in range(4_000)])
    assert np.bincount(first, minlength=3) / 4_000 == pytest.approx([0.7, 0.2, 0.1], abs=0.025)
    assert sorted(picked(rng, np.zeros(3), 3).tolist()) == [0, 1, 2]


def test_drift_keeps_its_spread_and_changes_slowly() -> None:
    found = wandering(stream(1, "drift"), 60, 500, 0.5, 0.96)
    assert found[[0, 30, 59]].std(axis=1) == pytest.approx([0.5] * 3, rel=0.1)
    assert np.corrcoef(found[0], found[1])[0, 1] == pytest.approx(0.96, abs=0.03)
