"""Which requests are answered under load, and what the others are told."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest

from infra.clock import FixedClock
from serving.api.app import create_app
from serving.api.middleware.admission import FIRST_WORK_S, SHARE, STARTS, Admission
from serving.errors import Overloaded
from serving.events.event_intake import EventIntake
from serving.features.feature_client import FeatureClient
from tests.serving.world import NOW

BODY = {"user_id": "u", "session_id": "s", "items": [{"item_id": i} for i in "abc"]}
BOUND, SENT = 5, 12


class Times:
    """A clock that tests set."""

    def __init__(self):
        self.now = 100.0
        self.refused = []

    def admission(self, max_in_flight=1_000):
        return Admission(max_in_flight, self.refused.append, lambda: self.now)

    async def answer(self, admission, work_s, count=1):
        for _ in range(count):
            async with admission.slot(self.now + 60):
                self.now += work_s


@asynccontextmanager
async def api(settings, **changes):
    app = create_app(settings.model_copy(update=changes), FixedClock(NOW))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://scorer") as client:
            yield client


def counted(text, series):
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(series))


def test_exactly_the_bound_is_in_flight_and_the_rest_is_told_to_come_again(settings, monkeypatch):
    real, waiting = FeatureClient.read, []

    async def run():
        is_free = asyncio.Event()

        async def blocked(self, keys, timeout_s):
            if keys.user_id is not None:  # /readyz reads too
                waiting.append(keys)
                await is_free.wait()
            return await real(self, keys, timeout_s)

        async with api(settings, max_in_flight=BOUND) as client:
            monkeypatch.setattr(FeatureClient, "read", blocked)
            sent = [asyncio.create_task(client.post("/score", json=BODY)) for _ in range(SENT)]
            refused = []
            while len(refused) < SENT - BOUND:
                done, _ = await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
                refused += [task.result() for task in done]
                sent = [task for task in sent if task not in done]
            in_flight = len(waiting)
            states = [(await client.get(path)).status_code for path in ("/healthz", "/readyz", "/metrics", "/model")]
            is_free.set()
            answered = [await task for task in sent]
            after = await client.post("/score", json=BODY)
            metrics = (await client.get("/metrics")).text
        return in_flight, refused, states, answered, after, metrics

    in_flight, refused, states, answered, after, metrics = asyncio.run(run())
    assert in_flight == BOUND
    assert [answer.status_code for answer in answered] == [200] * BOUND
    assert {answer.status_code for answer in refused} == {503}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert {answer.json()["error"]["type"] for answer in refused} == {"overloaded"}
    assert states == [200] * 4
    assert after.status_code == 200
    assert counted(metrics, 'rerank_refused_total{path="/score",reason="full"}') == SENT - BOUND
    assert counted(metrics, 'rerank_requests_total{path="/score",status="503"}') == SENT - BOUND


def test_a_deadline_that_is_over_when_the_body_is_there_is_refused(settings):
    async def late_body():
        await asyncio.sleep(0.02)
        yield json.dumps(BODY).encode()

    async def run():
        async with api(settings) as client:
            headers = {"content-type": "application/json", "x-deadline-ms": "1"}
            answer = await client.post("/score", content=late_body(), headers=headers)
            return answer, (await client.get("/metrics")).text

    answer, metrics = asyncio.run(run())
    assert (answer.status_code, answer.json()["error"]["type"]) == (408, "body_timeout")
    assert answer.headers["connection"] == "close"
    assert counted(metrics, 'rerank_requests_total{path="/score",status="408"}') == 1


@pytest.mark.parametrize("path", ["/score", "/explain", "/events"])
def test_a_body_that_never_ends_is_cut_off_at_the_deadline(settings, path):
    async def trickling():
        while True:
            yield b" "
            await asyncio.sleep(0.01)

    async def run():
        async with api(settings) as client:
            headers = {"content-type": "application/json", "x-deadline-ms": "100"}
            return await client.post(path, content=trickling(), headers=headers)

    answer = asyncio.run(run())
    assert (answer.status_code, answer.json()["error"]["type"]) == (408, "body_timeout")


@pytest.fixture
def times():
    return Times()


def test_a_request_whose_deadline_is_over_is_refused(times):
    admission = times.admission()

    async def run():
        with pytest.raises(Overloaded):
            async with admission.slot(times.now):
                pass

    asyncio.run(run())
    assert times.refused == ["expired"]
    assert admission.in_flight == 0


def test_a_request_is_refused_when_those_ahead_need_more_than_its_share_of_the_time_left(times):
    admission = times.admission()

    async def run():
        await times.answer(admission, 0.004, 500)  # until the average is there
        async with admission.slot(times.now + 1), admission.slot(times.now + 1):
            admission.check(times.now + 0.009 / SHARE)  # two are ahead, with 8 ms of work
            with pytest.raises(Overloaded, match="2 requests are ahead"):
                admission.check(times.now + 0.007 / SHARE)

    asyncio.run(run())
    assert times.refused == ["late"]


def test_a_request_with_none_ahead_is_answered_however_slow_the_last_ones_were(times):
    admission = times.admission()

    async def run():
        await times.answer(admission, 30.0, 500)
        admission.check(times.now + 0.001)
        async with admission.slot(times.now + 0.001):
            with pytest.raises(Overloaded):
                admission.check(times.now + 10)
        await times.answer(admission, FIRST_WORK_S, 500)
        async with admission.slot(times.now + 1):
            admission.check(times.now + 0.003 / SHARE)

    asyncio.run(run())
    assert times.refused == ["late"]


def test_work_between_two_requests_is_no_work_of_a_request(times):
    admission = times.admission()

    async def run():
        for _ in range(500):
            await times.answer(admission, 0.001)
            times.now += 5.0  # the cache is filled, metrics are written
        async with admission.slot(times.now + 1):
            admission.check(times.now + 0.003 / SHARE)

    asyncio.run(run())
    assert times.refused == []


def test_requests_that_wait_for_redis_together_share_the_time(times):
    admission = times.admission()

    async def run():
        for _ in range(50):
            async with AsyncExitStack() as stack:
                for _ in range(STARTS):
                    await stack.enter_async_context(admission.slot(times.now + 1))
                times.now += 0.004  # all of them wait
            await asyncio.sleep(0)
        async with admission.slot(times.now + 1):
            admission.check(times.now + 0.002 / SHARE)

    asyncio.run(run())
    assert times.refused == []


def test_a_request_that_waited_for_its_start_until_its_deadline_is_refused(times):
    admission = times.admission()

    def time_passes():
        times.now += 2

    async def request(number):
        async with admission.slot(times.now + 1):
            if number == 0:  # after the others have asked for their start
                asyncio.get_running_loop().call_soon(time_passes)

    async def run():
        return await asyncio.gather(*(request(i) for i in range(STARTS + 1)), return_exceptions=True)

    found = asyncio.run(run())
    assert [type(each) for each in found] == [type(None)] * STARTS + [Overloaded]
    assert times.refused == ["expired"]
    assert admission.in_flight == 0


def test_a_request_that_fails_gives_its_slot_back(times):
    admission = times.admission(1)

    async def run():
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                async with admission.slot(times.now + 1):
                    raise ZeroDivisionError

    asyncio.run(run())
    assert admission.in_flight == 0


def test_a_request_whose_deadline_is_over_at_its_handler_is_refused_over_http(settings):
    async def body_while_the_loop_is_busy():
        time.sleep(0.02)
        yield json.dumps(BODY).encode()

    async def run():
        async with api(settings) as client:
            headers = {"content-type": "application/json", "x-deadline-ms": "5"}
            answer = await client.post("/score", content=body_while_the_loop_is_busy(), headers=headers)
            return answer, (await client.get("/metrics")).text

    answer, metrics = asyncio.run(run())
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"
    assert counted(metrics, 'rerank_refused_total{path="/score",reason="expired"}') == 1
    assert counted(metrics, 'rerank_stage_seconds_count{stage="parse"}') == 0


def test_waiting_events_do_not_take_the_slots_of_scores(settings, monkeypatch):
    async def run():
        is_free = asyncio.Event()
        real = EventIntake.take

        async def blocked(self, sent, timeout_s):
            await is_free.wait()
            return await real(self, sent, timeout_s)

        event = {"user_id": "u", "session_id": "waits", "action": "visit"}
        async with api(settings, max_in_flight=BOUND) as client:
            monkeypatch.setattr(EventIntake, "take", blocked)
            sent = [
                asyncio.create_task(client.post("/events", json={"events": [{"event_id": f"wait-{i}", **event}]}))
                for i in range(SENT)
            ]
            await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
            score = await client.post("/score", json=BODY)
            is_free.set()
            return score, [await task for task in sent]

    score, events = asyncio.run(run())
    assert score.status_code == 200
    assert Counter(answer.status_code for answer in events) == {202: BOUND, 503: SENT - BOUND}
    assert {a.json()["error"]["type"] for a in events if a.status_code == 503} == {"overloaded"}
