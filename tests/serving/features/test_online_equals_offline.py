"""The matrix of a request equals that of the point-in-time join for the same time, bit for bit."""

import numpy as np
import pandas as pd
import pytest

from feature_repo.apply import apply
from feature_repo.build.__main__ import build
from feature_repo.materialize import materialize
from feature_repo.model_features import feature_matrix
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.store import open_store
from infra.clock import FixedClock
from infra.models.vocabulary import Vocabulary
from infra.redis_server.server import start, stop
from infra.settings import Settings
from serving.features.feast_reader import FeastReader
from serving.features.reading import Keys
from tests.small_log import DECLARATION, at, event, impression, item, write_log

END = at(20, 100)
VOCABULARY = Vocabulary({"category_id": ("c",), "brand": (), "shop_id": ()})


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reader")
    settings = Settings(data_dir=folder, state_dir=folder / "var", dataset="tiny", threads=1, redis_timeout_s=2)
    items = [item(name, price=i + 1.0) for i, name in enumerate("abc")]
    events = [
        event(day * 10 + i, at(day, i), "order", name, session_id=f"old{day}", value=1.0)
        for day in range(15)
        for i, name in enumerate("ab")
    ] + [
        event(500, at(20, 50), "add_to_cart", "a", session_id="live"),
        event(501, at(20, 60), "remove_from_cart", "c", session_id="empty"),
    ]
    write_log(settings.log_dir, items=items, events=events, impressions=[impression("1", 0, END, "a")])
    start(settings)
    try:
        build(settings)
        apply(settings)
        materialize(settings, FixedClock(END))
        yield settings
    finally:
        stop(settings)


@pytest.fixture(scope="module")
def reader(settings):
    return FeastReader(open_store(settings, offline=False), DECLARATION)


def keys(*items: str, user: str = "u", session: str = "live", when=END) -> Keys:
    return Keys(user, session, items, int(when.timestamp() * 1e6))


def test_online_and_offline_matrices_of_the_same_time_are_equal(settings, reader):
    """With a cart, its companions, an emptied cart, and everything unknown; before and after rows expire."""
    offline = PointInTimeReader(open_store(settings), DECLARATION)
    for user, session in (("u", "live"), ("u", "empty"), ("nobody", "none")):
        for when in (END, at(21, 1), at(60)):
            rows = [impression("1", i, when, each, user_id=user, session_id=session) for i, each in enumerate("abcx")]
            frame = pd.DataFrame(rows)
            (expected,) = offline.read(frame)
            online = reader.read(keys(*"abcx", user=user, session=session, when=when)).slate
            bits = [feature_matrix(slate, DECLARATION, VOCABULARY).view(np.uint32) for slate in (online, expected)]
            np.testing.assert_array_equal(*bits)
