"""A few lists of the recommender's test windows, beside what their users then ordered.

The lists are midnight lists of the training set that the newest recommender was judged on; the model had not seen them,
and its sources had been fitted before them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from feature_repo.build.log_views import open_log
from feature_repo.live.checked_events import live_events
from feature_repo.live.event_files import reading
from infra.duckdb_connection import connect
from infra.models.model_store import ModelStore, NoModel
from infra.models.ranker import Ranker
from infra.settings import Settings
from training.recommend.judged_lists import MIDNIGHT
from training.stage_two.training_run import FOLDER, RUN_FOLDER
from training.training_set.build import RECIPE_FILE, TRAINING_SET_FILE
from training.training_set.levels import feature_matrix_of
from training.training_set.recipe import read_recipe

K = 25
KEYS = ("slate_id", "user_id", "item_id", "event_timestamp", "label", "position")
RANK = "_rank"


@dataclass(frozen=True)
class Listed:
    """``source``: that ranks the item highest among its own; ``rank``: there, from 1."""

    item_id: str
    category: str
    bought: bool
    source: str
    rank: int


@dataclass(frozen=True)
class Bought:
    """``position``: in the recommended order, from 1; None where no source named the item."""

    item_id: str
    category: str
    position: int | None


@dataclass(frozen=True)
class Example:
    """``listed``: the K best, the best first. ``bought``: in the window, those that were listed first."""

    user_id: str
    start: datetime
    end: datetime
    listed: Sequence[Listed]
    bought: Sequence[Bought]

    @property
    def recall(self) -> float:
        hits = sum(each.position is not None and each.position <= K for each in self.bought)
        return hits / len(self.bought)


def example_lists(settings: Settings, days: int, count: int, seed: int) -> list[Example]:
    """At most ``count``, drawn with ``seed``. ``days``: of a window. Empty where the test windows have no list.

    Raises FileNotFoundError without a training set, NoModel without a model of it, BrokenModel or DatasetError.
    """
    folder = settings.training_dir / FOLDER
    path = folder / TRAINING_SET_FILE
    content = read_recipe(folder / RECIPE_FILE).content_hash
    in_test = (pc.field("split") == "test") & pc.starts_with(pc.field("slate_id"), MIDNIGHT)
    slates = sorted(set(pq.read_table(path, columns=["slate_id"], filters=in_test)["slate_id"].to_pylist()))
    if not slates:
        return []
    ranker = trained_ranker(settings, content)
    random = np.random.default_rng(seed)
    chosen = [slates[i] for i in sorted(random.choice(len(slates), min(count, len(slates)), replace=False))]
    rows = pq.read_table(
        path, columns=[*KEYS, *ranker.feature_names], filters=in_test & pc.field("slate_id").isin(chosen)
    )
    found = []
    for slate in chosen:
        list_rows = rows.filter(pc.equal(rows["slate_id"], slate))
        start: datetime = list_rows["event_timestamp"][0].as_py()
        user = str(list_rows["user_id"][0].as_py())
        ordered, categories = ordered_items(settings, user, start, start + timedelta(days=days))
        found.append(_example(list_rows, ranker, user, start, days, ordered, categories))
    return found


def trained_ranker(settings: Settings, content: str) -> Ranker:
    """Of the newest version that was trained on the set of that content. Raises NoModel or BrokenModel."""
    store = ModelStore(settings, settings.recommend_name)
    versions = store.client.search_model_versions(f"name = '{store.name}'")
    for version in sorted(versions, key=lambda each: -int(each.version)):
        if (version.tags or {}).get("kind") != "lightgbm":
            continue
        if store.client.get_run(version.run_id).data.params.get("training_set_sha256") == content:
            return store.load_version(version).ranker
    raise NoModel(f"no version of {store.name} was trained on the set of {FOLDER}/{RUN_FOLDER}")


def ordered_items(settings: Settings, user: str, start: datetime, end: datetime) -> tuple[list[str], Mapping[str, str]]:
    """The items that the user ordered in [start, end), and the categories of all items as known at ``start``."""
    with reading(settings.live_dir), connect(settings) as connection:
        open_log(connection, settings, live_events(settings))
        known = {"user": user, "start": start, "end": end}
        items = connection.execute(
            "SELECT DISTINCT item_id FROM events WHERE action = 'order' AND user_id = $user AND item_id IS NOT NULL "
            "AND received_ts >= $start AND received_ts < $end ORDER BY item_id",
            known,
        ).fetchall()
        categories = connection.execute(
            "SELECT item_id, arg_max(category_id, valid_from_ts) FROM items WHERE valid_from_ts < $start "
            "AND category_id IS NOT NULL GROUP BY item_id",
            {"start": start},
        ).fetchall()
    return [item for (item,) in items], dict(categories)


def _example(
    rows: Any,
    ranker: Ranker,
    user: str,
    start: datetime,
    days: int,
    ordered: Sequence[str],
    categories: Mapping[str, str],
) -> Example:
    matrix = feature_matrix_of(rows, ranker.feature_names, ranker.vocabulary)
    order = np.lexsort((rows["position"].to_numpy(), -ranker.score(matrix)))
    items = [str(item) for item in rows["item_id"].take(order).to_pylist()]
    sources = [name.removesuffix(RANK) for name in ranker.feature_names if name.endswith(RANK)]
    ranks = np.stack([rows[f"{name}{RANK}"].to_numpy()[order] for name in sources], axis=1)  # (m, sources)
    best = np.nanargmin(ranks, axis=1)
    listed = [
        Listed(item, categories.get(item, ""), item in ordered, sources[best[i]], int(ranks[i, best[i]]) + 1)
        for i, item in enumerate(items[:K])
    ]
    position = {item: i for i, item in enumerate(items, start=1)}
    bought = [Bought(item, categories.get(item, ""), position.get(item)) for item in ordered]
    bought.sort(key=lambda each: (each.position or len(items) + 1, each.item_id))
    return Example(user, start, start + timedelta(days=days), listed, bought)
