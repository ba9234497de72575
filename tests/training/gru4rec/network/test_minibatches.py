"""Session-parallel minibatches, compared with the events of each row written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.gru4rec.session_arrays import sessions_of
from training.gru4rec.network.minibatches import session_parallel


def walked(found):
    """Inputs, targets and resets of the rows, step by step."""
    return [(step.inputs.tolist(), step.targets.tolist(), step.begins.tolist()) for step in found]


def test_a_row_takes_the_next_session_when_one_ends_and_is_reset_only_there():
    found = session_parallel(sessions_of([1, 2, 3], [4, 5], [6, 7, 8, 9], [10, 11]), 2)
    # One row has 1 2 3 | 10 11, the other 4 5 | 6 7 8 9, which is longer and therefore the first row.
    assert walked(found) == [
        ([4, 1], [5, 2], [True, True]),
        ([6, 2], [7, 3], [True, False]),
        ([7, 10], [8, 11], [False, True]),
        ([8], [9], [False]),
    ]
    assert found.events == 7


def test_there_are_no_more_rows_than_sessions():
    assert walked(session_parallel(sessions_of([1, 2]), 64)) == [([1], [2], [True])]


def test_sessions_of_one_event_have_no_step():
    assert walked(session_parallel(sessions_of([5], [1, 2], [6]), 2)) == [([1], [2], [True])]
    assert len(session_parallel(sessions_of([5], [6]), 2)) == 0


@given(st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=9), min_size=1, max_size=30), st.integers(1, 8))
def test_an_epoch_drops_no_event_and_every_row_has_whole_sessions(sessions, batch_size):
    found = session_parallel(sessions_of(*sessions), batch_size)
    rows: list[list[list[int]]] = [[] for _ in range(batch_size)]
    width = batch_size
    for step in found:
        assert len(step.inputs) <= width  # a row that ended does not come back
        width = len(step.inputs)
        for row, (item, target, begins) in enumerate(zip(step.inputs, step.targets, step.begins, strict=True)):
            if begins:
                rows[row].append([int(item)])
            assert rows[row][-1][-1] == item  # the row continues its session
            rows[row][-1].append(int(target))
    walked = [tuple(session) for row in rows for session in row]
    assert sorted(walked) == sorted(tuple(session) for session in sessions if len(session) > 1)


def test_a_step_outside_the_epoch_is_refused():
    with pytest.raises(IndexError):
        session_parallel(sessions_of([1, 2]), 1)[1]


def test_no_row_is_empty_while_sessions_are_left():
    sessions = sessions_of(*([0] * (2 + i % 5) for i in range(101)))
    sizes = np.diff(session_parallel(sessions, 8).starts)
    assert set(sizes[:-6].tolist()) == {8}  # the longest session has five targets
