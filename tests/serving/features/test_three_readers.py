"""Random requests to every reader: with the cache, without it, and Feast's SDK. ``--requests N`` makes more.

The store holds rows of all ages, whole, partly null, partly written, expired and not yet known; requests
also name ids that the store does not have. Every feature of every matrix must agree bit for bit, and so must the
scores of the compiled trees and LightGBM's.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from feature_repo.model_features import feature_matrix
from feature_repo.schema import Column, DType
from feature_repo.store import open_store
from infra.models.model_store import ModelStore
from infra.models.trees.compiled_trees import CompiledRanker, compiled
from infra.redis_server.server import endpoint, start, stop
from serving.features.feast_reader import FeastReader
from serving.features.reading import Keys
from tests.serving import world
from tests.serving.blocking_reader import BlockingRedisReader
from tests.serving.world import DECLARATION, NOW, VOCABULARY, us

ENTITIES = {"item": 80, "user": 12, "session": 12}
NULLS = 0.15
CACHE_BYTES = 20_000  # of about 40 items, so that some are always evicted
SEED = 3


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """A store of random rows and a champion."""
    made = world.settings_in(tmp_path_factory.mktemp("readers"))
    start(made)
    try:
        world.fill_store(made)
        world.register(made, world.small_model())
        scatter(made, np.random.default_rng(SEED))
        yield made
    finally:
        stop(made)


def scatter(settings, rng) -> None:
    store = open_store(settings)
    for view in world.VIEWS.values():
        count = ENTITIES[view.entity]
        ids = [f"{view.entity}{i}" for i in range(count) if rng.random() < 0.85]
        ages = rng.choice([0, 1e-6, 60, 0.5, 1, 1.000001, 2, -1e-6, -60], len(ids))
        ttl_s = view.ttl.total_seconds()
        timestamps = [NOW - timedelta(seconds=float(age if abs(age) in (0, 1e-6, 60) else age * ttl_s)) for age in ages]
        rows = {column.name: [cell(column, rng) for _ in ids] for column in view.columns}
        rows |= {view.join_key: ids, "event_timestamp": timestamps, "created_timestamp": timestamps}
        store.write_to_online_store(view.name, pd.DataFrame(rows))
    with endpoint(settings).client(5) as client:  # half-written rows: fields that a failed writer left out
        for key in sorted(client.scan_iter(_type="hash")):
            some = [field for field in sorted(client.hkeys(key)) if rng.random() < 0.3]
            if key.endswith(settings.dataset.encode()) and some and rng.random() < 0.15:
                client.hdel(key, *some)


def cell(column: Column, rng):
    if rng.random() < NULLS:
        return None
    length = int(rng.integers(0, 6))
    draw = {
        DType.FLOAT32: lambda: float(np.float32(rng.normal() * 100)),
        DType.INT64: lambda: us(NOW) - int(rng.integers(0, 10**12)),
        DType.STRING: lambda: f"text {rng.integers(5)} ü",
        DType.FLOAT32_LIST: lambda: [float(np.float32(value)) for value in rng.random(length)],
        DType.INT64_LIST: lambda: [us(NOW) - int(value) for value in rng.integers(0, 10**12, length)],
        DType.STRING_LIST: lambda: [f"item{i}" for i in rng.integers(0, ENTITIES["item"], length)],
    }
    return draw[column.dtype]()


def random_keys(rng) -> Keys:
    def maybe(entity: str):
        return [None, "never heard of", f"{entity}{rng.integers(ENTITIES[entity])}"][rng.choice(3, p=[0.1, 0.1, 0.8])]

    ids = [f"item{i}" for i in rng.permutation(ENTITIES["item"] + 5)[: rng.integers(1, 30)]]
    timestamp = us(NOW) + int(rng.choice([0, 1, -1, 10**6]))
    return Keys(maybe("user"), maybe("session"), ids, timestamp)


def bits(matrix):
    return np.ascontiguousarray(np.where(np.isnan(matrix), np.float32(np.nan), matrix)).view(np.uint32)


def test_every_reader_gives_the_same_features_and_scores_bit_for_bit(settings, request):
    rng = np.random.default_rng(SEED + 1)
    model = ModelStore(settings).load()
    native, engine = compiled(model.ranker, model.rows)
    assert isinstance(native, CompiledRanker), engine
    feast = FeastReader(open_store(settings, offline=False), DECLARATION)
    cached, uncached = (
        BlockingRedisReader(endpoint(settings), DECLARATION, settings.dataset, size) for size in (CACHE_BYTES, 0)
    )
    cached.reader.cache.is_coherent = cached.reader.companion_cache.is_coherent = True  # there are no writes
    known = hits = 0
    try:
        for _ in range(request.config.getoption("--requests")):
            keys = random_keys(rng)
            context = {"store_id": str(rng.integers(300))}
            hits += sum(each in cached.reader.cache for each in keys.item_ids)
            readings = [reader.read(keys) for reader in (feast, uncached, cached)]
            readings += [reader.read_in_two_steps(keys) for reader in (uncached, cached)]
            matrices = [feature_matrix(replace(r.slate, context=context), DECLARATION, VOCABULARY) for r in readings]
            for reading, matrix in zip(readings[1:], matrices[1:], strict=True):
                np.testing.assert_array_equal(bits(matrix), bits(matrices[0]))
                assert reading.missing == readings[0].missing
                for view, times in readings[0].event_us.items():
                    np.testing.assert_array_equal(reading.event_us[view], times)
            np.testing.assert_array_equal(native.score(matrices[2]), model.ranker.score(matrices[0]))
            known += len(keys.item_ids) - readings[0].missing.items
    finally:
        cached.close()
        uncached.close()
    assert known > 0
    assert hits > 0
