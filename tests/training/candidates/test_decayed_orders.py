"""Decayed orders are those of the user's row."""

import pytest

from tests.small_log import at
from tests.training.candidates.known import known_log
from training.candidates import decayed_orders as module
from training.candidates.decayed_orders import decayed_orders

ACTS = [(10 - 28, "u", "order", "b"), (10 - 14, "u", "order", "b"), (9, "u", "view", "a"), (10 - 14, "v", "order", "a")]


def test_an_order_counts_half_after_the_half_life(tmp_path):
    with known_log(tmp_path, ACTS, known_at=at(days=10)) as log:
        found = decayed_orders(log, 14, 10, 7)
    assert (found.users.tolist(), found.items.tolist()) == ([0, 1], [1, 0])
    assert found.weights.tolist() == pytest.approx([0.75, 0.5])


def test_a_sample_is_a_part_of_the_users_and_changes_with_the_seed(tmp_path):
    acts = [(1, f"u{n:02d}", "order", f"i{n:02d}") for n in range(40)]
    with known_log(tmp_path, acts) as log:
        samples = [decayed_orders(log, 14, 10, seed) for seed in (7, 7, 8)]
    assert [len(each.items) for each in samples] == [10, 10, 10]
    assert samples[0].items.tolist() == samples[1].items.tolist() != samples[2].items.tolist()


def test_only_the_newest_items_of_a_user_count(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "HISTORY_LIMIT", 2)
    with known_log(tmp_path, [(day, "u", "order", f"i{day}") for day in range(4)]) as log:
        assert log.codes.decode(decayed_orders(log, 14, 10, 7).items) == ["i2", "i3"]


def test_a_half_life_that_no_row_holds_is_refused(tmp_path):
    with known_log(tmp_path, ACTS) as log, pytest.raises(ValueError, match=r"half_life_days is 15: .*14, 60, 180"):
        decayed_orders(log, 15, 10, 7)
