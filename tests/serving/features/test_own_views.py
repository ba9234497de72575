"""Views of a user's own by every kind of key: Redis, Feast's SDK and the point-in-time join agree bit for bit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from feature_repo.apply import apply
from feature_repo.build.__main__ import build
from feature_repo.definitions.views import views
from feature_repo.materialize import materialize
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.schema import Column, Declaration, DType
from feature_repo.slate import Slate
from feature_repo.store import open_store
from infra.clock import FixedClock
from infra.models.vocabulary import Vocabulary
from infra.redis_server.server import endpoint, start, stop
from infra.settings import Settings
from serving.features.feast_reader import FeastReader
from serving.features.parity_check import differences, same_times
from serving.features.reading import Keys, Reading
from serving.features.redis_reader import RedisReader
from serving.redis_client.connection import ReconnectingConnection
from tests.own_repo import add_view, copied_repo
from tests.small_log import at, event, impression, item, write_log

END = at(20, 100)
DECLARATION = Declaration(
    name="own_views", title="own", context=(Column("store_id", DType.STRING, "store", nullable=True),)
)
VOCABULARY = Vocabulary({"taste": ("hot", "mild"), "region": ("north",), "kind": ("x",), "category_id": ("c",)})
VIEW = """
from datetime import timedelta
from feast import Entity, FeatureView, Field, ValueType
from feast.types import Array, Bool, Float32, Float64, Int64, String, UnixTimestamp
from feature_repo.definitions.data_set import data_set
from feature_repo.entities import item, session, user

category = Entity(name="category", join_keys=["category_id"], value_type=ValueType.STRING)
store = Entity(name="store", join_keys=["store_id"], value_type=ValueType.STRING)

{name} = FeatureView(
    name="{name}", entities=[{entities}], ttl=timedelta(days=30),
    source=data_set().own("{name}", "warehouse/{name}.{kind}", timestamp_field="known_at"),
    schema=[{fields}],
)
"""
VIEWS = {
    "user_category": (
        "user, category",
        'Field(name="taste", dtype=String), Field(name="spent_here", dtype=Float32)',
        "category_id,user_id,known_at,taste,spent_here\nc,u,2024-03-02,mild,1.5\nc,u,2024-03-20,hot,2.5\nd,u,2024-03-02,,7\n",
    ),
    "user_item": (
        "user, item",
        'Field(name="affinity", dtype=Float32)',
        "user_id,item_id,known_at,affinity\nu,a,2024-03-02,0.1\nu,007,2024-03-05,0.7\nv,a,2024-03-05,0.9\n",
    ),
    "by_category": (
        "category",
        'Field(name="demand", dtype=Float32)',
        "category_id,known_at,demand\nc,2024-03-01,10\nd,2024-03-19,20\n",
    ),
    "by_store": (
        "store",
        'Field(name="region", dtype=String), Field(name="crowd", dtype=Float32)',
        "store_id,known_at,region,crowd\n330,2024-03-01T12:00:00,north,3\n331,2024-03-01,south,4\n",
    ),
    "taste_of_user": (
        "user",
        """Field(name="vector", dtype=Array(Float32)), Field(name="likes", dtype=Array(String)),
        Field(name="member_since", dtype=UnixTimestamp), Field(name="is_member", dtype=Bool)""",
        """{"user_id": "u", "known_at": "2024-03-02", "vector": [1, 0, 2], "likes": ["spicy", "new"],
        "member_since": "2023-03-02T00:00:00.75Z", "is_member": true}""",
    ),
    "menu": (
        "item",
        """Field(name="embedding", dtype=Array(Float32), tags={"similar_to": "taste_of_user:vector",
            "similarity": "cosine"}),
        Field(name="tags", dtype=Array(String), tags={"allowed": '["vegan", "Very spicy"]'}),
        Field(name="words", dtype=Array(String), tags={"similar_to": "taste_of_user:likes", "similarity": "overlap"}),
        Field(name="opened", dtype=UnixTimestamp), Field(name="seats", dtype=Int64),
        Field(name="rating", dtype=Float64), Field(name="is_open", dtype=Bool)""",
        """{"item_id": "a", "known_at": "2024-03-02", "embedding": [2, 0, 4], "tags": ["vegan"],
        "words": ["spicy", "old"], "opened": "2024-03-01T00:00:00.25Z", "seats": 12, "rating": 4.1, "is_open": true}
        {"item_id": "b", "known_at": "2024-03-02", "embedding": [0, 3, 0], "tags": [], "words": null,
        "opened": null, "seats": null, "rating": null, "is_open": false}
        {"item_id": "007", "known_at": "2024-03-02", "embedding": null, "tags": null, "words": [],
        "opened": "2024-03-21T00:01:40Z", "seats": 0, "rating": 0.1, "is_open": null}""",
    ),
    "of_item": ("item", 'Field(name="kind", dtype=String)', "item_id,known_at,kind\n007,2024-03-01,x\n"),
}
ADDED = {"taste", "spent_here", "affinity", "demand", "region", "crowd", "kind"}
TYPED = {
    "embedding_cosine": [1, 0, np.nan, np.nan],
    "tags_vegan": [1, 0, np.nan, np.nan],
    "tags_very_spicy": [0, 0, np.nan, np.nan],
    "words_overlap": [1 / 3, np.nan, 0, np.nan],
    "opened_age_s": [20 * 86_400 + 100, np.nan, 0, np.nan],
    "seats": [12, np.nan, 0, np.nan],
    "rating": [4.1, np.nan, 0.1, np.nan],
    "is_open": [1, 0, np.nan, np.nan],
    "member_since_age_s": [385 * 86_400 + 100] * 4,
    "is_member": [1] * 4,
}
WHOSE = [("u", "live", "330"), ("v", "none", "331"), (None, None, None), ("u", "live", "nowhere")]


@dataclass(frozen=True)
class World:
    settings: Settings

    def keys(self, user: str | None, session: str | None, store: str | None, when: datetime) -> Keys:
        context = {} if store is None else {"store_id": store}
        us = int(when.timestamp() * 1e6)
        return Keys(user, session, ("a", "b", "007", "unknown"), us, context=context)

    def offline(self, keys: Keys, when: datetime) -> Slate:
        rows = [
            impression("1", i, when, each, user_id=keys.user_id, session_id=keys.session_id,
                       store_id=keys.context.get("store_id"))
            for i, each in enumerate(keys.item_ids)
        ]  # fmt: skip
        frame = pd.DataFrame(rows).astype(dict.fromkeys(("user_id", "session_id", "store_id"), "string"))
        (slate,) = PointInTimeReader(open_store(self.settings), DECLARATION).read(frame)
        return slate

    def redis(self, keys: Keys) -> Reading:
        async def read() -> Reading:
            connection = ReconnectingConnection("the store", lambda: endpoint(self.settings))
            await connection.start(5)
            try:
                assert connection.current is not None
                reader = RedisReader(DECLARATION, self.settings.dataset, 1 << 20)
                return await reader.read(keys, connection.current)
            finally:
                await connection.close()

        return asyncio.run(read())

    def feast(self, keys: Keys) -> Reading:
        return FeastReader(open_store(self.settings, offline=False), DECLARATION).read(keys)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        copied = copied_repo(folder, patch)
        (folder / "warehouse").mkdir()
        for name, (entities, fields, rows) in VIEWS.items():
            kind = "jsonl" if rows.startswith("{") else "csv"
            add_view(copied, name, VIEW.format(name=name, entities=entities, fields=fields, kind=kind))
            (folder / "warehouse" / f"{name}.{kind}").write_text(rows)
        settings = Settings(
            data_dir=folder, state_dir=folder / "var", dataset="own_views", threads=1, redis_timeout_s=2
        )
        items = [item("a"), item("b", category_id="d"), item("007", category_id=None)]
        events = [event(day, at(day), "order", "a", session_id=f"old{day}", value=1.0) for day in range(15)]
        slate = impression("1", 0, END, "a", store_id="330")
        write_log(settings.log_dir, items=items, events=events, impressions=[slate], declaration=DECLARATION)
        start(settings)
        try:
            build(settings)
            apply(settings)
            materialize(settings, FixedClock(END))
            yield World(settings)
        finally:
            stop(settings)


def test_every_column_is_an_input_of_the_model(world: World) -> None:
    features = {feature.name: feature.dtype for feature in model_features(DECLARATION)}
    assert set(features) >= ADDED | set(TYPED)
    assert {name for name in ADDED if features[name] == "category"} == {"taste", "region", "kind"}
    assert {view.name for view in views(DECLARATION)[-4:]} == {"user_category", "user_item", "by_category", "by_store"}


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("when", [END, at(31), at(60)])
def test_online_and_offline_agree_bit_for_bit(
    world: World, whose: tuple[str | None, str | None, str | None], when: datetime
) -> None:
    keys = world.keys(*whose, when)
    redis, feast, offline = world.redis(keys), world.feast(keys), world.offline(keys, when)
    assert list(differences(keys, redis, feast, views(DECLARATION))) == []
    assert same_times(redis, feast)
    context = {name: value for name, value in keys.context.items() if value is not None}
    matrices = [
        feature_matrix(Slate(**{**vars(slate), "context": context}), DECLARATION, VOCABULARY).view(np.uint32)
        for slate in (redis.slate, feast.slate, offline)
    ]
    np.testing.assert_array_equal(matrices[0], matrices[1])
    np.testing.assert_array_equal(matrices[0], matrices[2])


def test_the_values_are_those_of_the_tables_at_that_time(world: World) -> None:
    found = world.redis(world.keys("u", "live", "330", END)).slate.keyed
    assert found["taste"].tolist() == ["hot", None, None, None]
    np.testing.assert_array_equal(found["spent_here"], np.float32([2.5, 7, np.nan, np.nan]))
    np.testing.assert_array_equal(found["affinity"], np.float32([0.1, np.nan, 0.7, np.nan]))
    np.testing.assert_array_equal(found["demand"], np.float32([10, 20, np.nan, np.nan]))
    assert found["region"].tolist() == ["north"] * 4
    earlier = world.offline(world.keys("u", "live", "330", at(10)), at(10)).keyed
    assert earlier["taste"].tolist() == ["mild", None, None, None]
    np.testing.assert_array_equal(earlier["demand"], np.float32([10, np.nan, np.nan, np.nan]))


def test_columns_of_other_types_are_inputs_as_their_type_says(world: World) -> None:
    slate = world.redis(world.keys("u", "live", "330", END)).slate
    matrix = feature_matrix(slate, DECLARATION, VOCABULARY)
    names = [feature.name for feature in model_features(DECLARATION)]
    for name, expected in TYPED.items():
        np.testing.assert_array_equal(matrix[:, names.index(name)], np.float32(expected), err_msg=name)
