"""Many limits by one timer."""

from __future__ import annotations

import asyncio
import time

import pytest
import uvloop

from serving.time_limits import TimeLimits

TIMEOUT_S = 20.0


async def forever() -> None:
    await asyncio.Event().wait()


async def soon(value: int) -> int:
    await asyncio.sleep(0.001)
    return value


async def ended(limits: TimeLimits, seconds: float) -> float:
    """After how long it was ended."""
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await limits.within(seconds, forever())
    await asyncio.sleep(0)  # a task that was ended can go on
    return time.monotonic() - started


@pytest.fixture(params=[asyncio.run, uvloop.run])
def run(request):
    async def patiently(work):
        async with asyncio.timeout(TIMEOUT_S):
            return await work

    return lambda work: request.param(patiently(work))


def test_what_is_done_in_time_is_not_disturbed(run):
    async def all_of_them():
        limits = TimeLimits()
        found = [await limits.within(0.5, soon(k)) for k in range(5)]
        await asyncio.sleep(0.6)  # their timer rings, for nobody
        return found

    assert run(all_of_them()) == list(range(5))


@pytest.mark.parametrize("order", [(0.02, 0.1, 0.2), (0.2, 0.1, 0.02), (0.1, 0.02, 0.2), (0.1, 0.1, 0.1)])
def test_each_is_ended_at_its_own_limit_and_none_before(run, order):
    async def together():
        limits = TimeLimits()
        return await asyncio.gather(*(ended(limits, seconds) for seconds in order))

    for seconds, took in zip(order, run(together()), strict=True):
        assert took >= seconds


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_is_no_time(run, seconds):
    assert run(ended(TimeLimits(), seconds)) < TIMEOUT_S


def test_the_timer_is_set_again_after_it_rang_for_nobody(run):
    async def one_after_the_other():
        limits = TimeLimits()
        await limits.within(0.5, soon(1))
        await asyncio.sleep(0.6)
        return await ended(limits, 0.02)

    assert run(one_after_the_other()) >= 0.02


def test_a_task_that_somebody_else_cancels_is_cancelled(run):
    async def from_outside():
        limits = TimeLimits()
        task = asyncio.ensure_future(limits.within(10, forever()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        limits.close()
        return task.cancelled()

    assert run(from_outside())


def test_a_task_that_is_late_and_does_something_else_is_not_left_half_cancelled(run):
    async def stubborn() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            raise LookupError("a fault while ending") from None

    async def left():
        with pytest.raises(LookupError):
            await TimeLimits().within(0.01, stubborn())
        return asyncio.current_task().cancelling()

    assert run(left()) == 0


def test_an_error_passes(run):
    async def broken():
        raise LookupError("a fault")

    with pytest.raises(LookupError):
        run(TimeLimits().within(10, broken()))


def test_closed_limits_can_be_used_again(run):
    async def after_closing():
        limits = TimeLimits()
        await limits.within(0.5, soon(1))
        limits.close()
        return await ended(limits, 0.02)

    assert run(after_closing()) >= 0.02
