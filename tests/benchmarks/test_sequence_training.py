"""The benchmark of the training step, at a size that takes a second: both loops do the whole epoch."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from benchmarks import sequence_training


def test_both_loops_are_measured_on_the_same_events(monkeypatch):
    monkeypatch.setattr(sequence_training, "REPEATS", 1)
    found = sequence_training.measure(40, 150)
    sessions, counts = sequence_training.made_up(40, 150)
    assert found["events"] == len(sessions.items) - 150
    assert counts.sum() == len(sessions.items)
    assert found["ratio"] == pytest.approx(found["lightning_events_per_s"] / found["plain_events_per_s"], abs=0.001)
