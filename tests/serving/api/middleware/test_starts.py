"""Who may start."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from serving.api.middleware.starts import Starts


def test_a_few_start_in_each_turn_in_the_order_in_which_they_came():
    async def run():
        starts, turn, started = Starts(3), 0, []

        async def request(number):
            await starts.wait()
            started.append((turn, number))

        requests = [asyncio.create_task(request(number)) for number in range(11)]
        requests[4].cancel()
        while len(started) < 10:
            await asyncio.sleep(0)
            turn += 1
        return started

    started = asyncio.run(run())
    assert [number for _, number in started] == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert max(Counter(turn for turn, _ in started).values()) == 3


def test_one_that_comes_alone_starts_at_once():
    async def run():
        starts = Starts(1)
        for _ in range(3):
            waiting = starts.wait()
            with pytest.raises(StopIteration):  # it does not wait
                waiting.send(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return True

    assert asyncio.run(run())
