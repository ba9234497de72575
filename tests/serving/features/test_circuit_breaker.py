from __future__ import annotations

import threading
import time

import pytest

from serving.features.circuit_breaker import CircuitBreaker
from serving.features.reading import Keys, StoreAway, unread
from tests.serving.world import DECLARATION

KEYS = Keys("u", "s", ["a"], 1)
PAUSE_S = 0.1


class Store:
    """Answers, fails or hangs, as its attributes say."""

    def __init__(self):
        self.failure = None
        self.hanging = threading.Event()
        self.hanging.set()
        self.reads = 0

    def read(self, keys):
        self.reads += 1
        self.hanging.wait(5)
        if self.failure is not None:
            raise self.failure
        return unread(keys, DECLARATION)


def opened(store):
    guard = CircuitBreaker(lambda: store, PAUSE_S)
    guard.open(5)
    return guard


def test_a_store_that_answers_is_read():
    guard = opened(Store())
    assert guard.read(KEYS, 1).missing.items == 1
    assert guard.problem is None


def test_a_store_that_hangs_delays_a_read_by_its_timeout_at_most():
    store = Store()
    guard = opened(store)
    store.hanging.clear()
    started = time.monotonic()
    with pytest.raises(StoreAway, match="no answer within 50 ms"):
        guard.read(KEYS, 0.05)
    assert time.monotonic() - started < 0.5
    store.hanging.set()


@pytest.mark.parametrize("failure", [ConnectionError("refused"), ValueError("not what was expected")])
def test_after_a_failure_reads_do_not_wait_and_the_store_is_opened_again_in_the_background(failure):
    store = Store()
    guard = opened(store)
    store.failure = failure
    with pytest.raises(StoreAway, match=str(failure)):
        guard.read(KEYS, 1)
    with pytest.raises(StoreAway):
        guard.read(KEYS, 1)
    assert store.reads == 1
    store.failure = None
    time.sleep(PAUSE_S * 1.5)
    assert guard.read(KEYS, 1)
    assert guard.problem is None


def test_a_store_that_cannot_be_opened_is_opened_later():
    attempts = []

    def open_store():
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionError("no Redis")
        return Store()

    guard = CircuitBreaker(open_store, PAUSE_S)
    guard.open(1)
    answered, problems = False, set()
    until = time.monotonic() + 5
    while not answered and time.monotonic() < until:
        try:
            answered = bool(guard.read(KEYS, 1))
        except StoreAway as error:
            problems.add(str(error))
            time.sleep(0.02)
    assert answered
    assert problems == {"ConnectionError: no Redis"}
    assert len(attempts) == 3


def test_after_a_failure_a_store_at_another_address_is_found():
    here, there = Store(), Store()
    stores = [here, there]
    guard = CircuitBreaker(lambda: stores.pop(0), PAUSE_S)
    guard.open(1)
    here.failure = ConnectionError("refused")
    with pytest.raises(StoreAway):
        guard.read(KEYS, 1)
    time.sleep(PAUSE_S * 1.5)
    assert guard.read(KEYS, 1)
    assert there.reads == 1


def test_a_read_without_time_left_fails():
    hung = Store()
    hung.hanging.clear()
    guard = opened(hung)
    with pytest.raises(StoreAway):
        guard.read(KEYS, -1.0)
