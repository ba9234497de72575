"""The sequence benchmark times only contenders that give the same answer."""

import pytest

pytest.importorskip("torch")

from benchmarks.sequence import in_turns


def test_every_contender_answers_every_request_after_the_warm_up():
    asked = {"a": 0, "b": 0}

    def contender(name):
        def answer(session):
            asked[name] += 1
            return session

        return answer

    seconds = in_turns({name: contender(name) for name in asked}, [[1, 2], [3]], requests=5)
    assert {name: len(taken) for name, taken in seconds.items()} == {"a": 5, "b": 5}
    assert all((taken > 0).all() for taken in seconds.values())
    assert asked["a"] == asked["b"] == 2 + 300 + 5


def test_contenders_that_disagree_are_not_timed():
    with pytest.raises(RuntimeError, match=r"disagree on \[3\]"):
        in_turns({"a": lambda s: s, "b": lambda s: [1, 2]}, [[1, 2], [3]], requests=1)
