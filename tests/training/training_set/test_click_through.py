"""The smoothed click-through of earlier slates, against its definition in plain Python."""

import numpy as np
import pytest

from training.training_set.click_through import PRIOR, SETTLED, click_through

SETTLED_US = int(SETTLED.total_seconds() * 1e6)


def by_definition(items, shown, labels, is_train):
    mean = np.mean([label > 0 for label, train in zip(labels, is_train, strict=True) if train])
    found = []
    for item, at in zip(items, shown, strict=True):
        before = [x > 0 for i, t, x in zip(items, shown, labels, strict=True) if i == item and t <= at - SETTLED_US]
        found.append((sum(before) + PRIOR * mean) / (len(before) + PRIOR))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_it_equals_its_definition(seed):
    rng = np.random.default_rng(seed)
    items = rng.choice(list("abcde"), 200)
    shown = 1_700_000_000_000_000 + rng.integers(0, 10, 200) * (SETTLED_US // 2)  # many exactly SETTLED apart
    labels = rng.integers(0, 3, 200)
    is_train = rng.random(200) < 0.7
    found = click_through(items, shown, labels, is_train)
    assert found.tolist() == pytest.approx(by_definition(items, shown, labels, is_train))


def test_what_follows_a_slate_does_not_change_it():
    items, shown = np.array(["a", "a", "a"]), np.array([0, SETTLED_US, 2 * SETTLED_US])
    is_train = np.array([True, False, False])
    first = click_through(items, shown, np.array([1, 0, 0]), is_train)
    other = click_through(items, shown, np.array([1, 0, 4]), is_train)
    assert first.tolist() == other.tolist()
    assert first[1] > first[2]  # the second slate of the item had no positive
