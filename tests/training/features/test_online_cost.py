"""Costs of slates made by hand, and of a derived family whose cost is known."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from feature_repo.definitions.views import views
from feature_repo.derived.family import derived
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.online.redis_format import decoding
from feature_repo.slate import Row
from tests.feature_repo.derived import golden
from training.features.online_cost import online_cost
from training.features.served_slates import as_served, first_time
from training.features.stored_values import stored_values

SLATES = [golden.slate_of(case["slate"]) for case in golden.read()["slates"]]
SERVED = [as_served(slate, golden.DECLARATION) for slate in SLATES]
SLEEP_S = 0.004


def matrix_of(slate):
    return feature_matrix(slate, golden.DECLARATION, golden.VOCABULARY)


def rest(_: Row) -> None:
    time.sleep(SLEEP_S)


def slow(slate, _):
    """Half of the work is done once for a user."""
    slate.user.once(rest)
    time.sleep(SLEEP_S)
    return {"one": 0.0, "two": 0.0}


def test_the_layout_of_serving_gives_the_same_matrix_bit_for_bit():
    for slate, served in zip(SLATES, SERVED, strict=True):
        expected, found = (feature_matrix(each, golden.DECLARATION, golden.VOCABULARY) for each in (slate, served))
        assert found.tobytes() == expected.tobytes()
        assert served.items.floats.shape == (len(slate), len(served.items.float_names))


def test_stored_values_decode_to_the_values_of_the_slate():
    (slate,) = [each for each in SERVED if each.companions and each.user and each.session][:1]
    cells = {(view, column): stored for view, column, stored in stored_values(slate, golden.DECLARATION)}
    assert len(cells) == sum(len(view.columns) for view in views(golden.DECLARATION))
    for (view, column), stored in cells.items():
        if stored.many:
            expected, found = slate.items[column], decoding.array(stored.cells, stored.dtype)
            assert found.tolist() == expected.tolist() or np.array_equal(found, expected, equal_nan=True), column
        elif view == "item_companions":
            assert len(stored.cells) == len(slate.companions)
        else:
            row = slate.user if view.startswith("user") else slate.session
            assert [decoding.value(cell, stored.dtype) for cell in stored.cells] == [
                pytest.approx(row[column]) if column in row else None
            ]
    assert cells["item_windows", "views_1d"].bytes == 5 * (len(slate) - 1), "one of them is missing"


def test_a_family_costs_what_it_takes_and_its_features_share_it_equally(monkeypatch):
    family = derived(version=1, reads=(), gives=(("one", "", ""), ("two", "", "")))(slow)
    monkeypatch.setattr("training.features.online_cost.FAMILIES", (family,))
    inputs = (*model_features(golden.DECLARATION), *family.features)
    monkeypatch.setattr("training.features.online_cost.model_features", lambda _: inputs)
    found = online_cost(SERVED[:2], golden.DECLARATION, matrix_of)
    part = found.parts["slow"]
    assert 1e6 * SLEEP_S <= part.again_us < 1.9e6 * SLEEP_S
    assert 2e6 * SLEEP_S <= part.first_us < 3.8e6 * SLEEP_S
    fill = found.fill_us / len(inputs)
    assert found.features["one"] == found.features["two"] == pytest.approx(part.first_us / 2 + fill)


def test_every_input_has_a_cost_and_stored_ones_that_of_their_own_column():
    found = online_cost(SERVED, golden.DECLARATION, matrix_of)
    assert list(found.features) == [each.name for each in model_features(golden.DECLARATION)]
    assert (found.slates, found.candidates) == (len(SERVED), np.mean([len(slate) for slate in SERVED]))
    fill = found.fill_us / len(found.features)
    own = {name: us - fill for name, us in found.features.items()}
    for view in views(golden.DECLARATION):
        stored = [column.name for column in view.columns if column.name in own]
        assert sum(own[name] for name in stored) <= found.parts[view.name].decode_us + 1e-6
    assert own["price"] > 0
    assert own["is_recommended"] == pytest.approx(0), "the caller sends it: only the matrix is filled with it"
    assert found.parts["user_history"].kilobytes > found.parts["user_windows"].kilobytes
    assert {part.kind for part in found.parts.values()} == {"view", "derived"}


def test_a_first_slate_has_nothing_that_was_computed_before():
    calls = []
    slate = first_time(replace(SERVED[0], user=Row({"user_is_new": 1.0})))
    for each in (slate, slate, first_time(slate)):
        each.user.once(calls.append)
    assert len(calls) == 2
