"""Which companion rows are stored, and which must not be."""

from serving.item_cache.companion_cache import CompanionCache

ROW = (5, (["a"], [0.5]))


def coherent(capacity: int = 10) -> CompanionCache:
    cache = CompanionCache(capacity)
    cache.is_coherent = True
    return cache


def test_a_stored_row_is_found_until_it_changes():
    cache = coherent()
    cache.store({"b": ROW}, cache.ticket())
    assert cache.get("b") == ROW
    cache.forget(["b"])
    assert cache.get("b") is None


def test_a_row_that_changed_while_it_was_read_is_not_stored():
    cache = coherent()
    ticket = cache.ticket()
    cache.forget(["b"])
    cache.store({"b": ROW}, ticket)
    assert cache.get("b") is None


def test_rows_read_before_the_cache_was_cleared_are_not_stored():
    cache = coherent()
    ticket = cache.ticket()
    cache.clear()
    cache.store({"b": ROW}, ticket)
    assert cache.get("b") is None


def test_nothing_is_stored_while_changes_are_not_reported():
    cache = CompanionCache(10)
    cache.store({"b": ROW}, cache.ticket())
    assert cache.get("b") is None


def test_the_oldest_rows_are_evicted_first():
    cache = coherent(capacity=2)
    for name in "abc":
        cache.store({name: ROW}, cache.ticket())
    assert [cache.get(name) for name in "abc"] == [None, ROW, ROW]
