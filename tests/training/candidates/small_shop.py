"""A small shop with all that a source can read: sessions, stores, title vectors and an exported sequence model."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import Queries, queries_of_rows
from feature_repo.definitions.extents import HALF_LIVES_DAYS
from feature_repo.schema import Column, Declaration, DType
from feature_repo.slate import Row
from infra.clock import epoch_us
from infra.settings import PROJECT_ROOT, Settings
from tests.small_log import at, event, impression, item, write_log

KNOWN_AT = at(days=40)
DECLARATION = Declaration(
    name="tiny",
    title="A small shop",
    context=(Column("store_id", DType.STRING, "store", nullable=True),),
)
ITEMS = [f"i{n:02d}" for n in range(60)]
USERS = [f"u{n:02d}" for n in range(40)]
MARKER, MARKER_USER = "only-later", "later-user"
RECENT = 8


@dataclass(frozen=True)
class SmallShop:
    """``events``: of the log, in order."""

    settings: Settings
    events: list[dict[str, Any]]

    @property
    def params(self) -> dict[str, Any]:
        """Those of the project, for a few items."""
        params = yaml.safe_load((PROJECT_ROOT / "params.yaml").read_text())["recommend"]
        for each in params["sources"].values():
            each["candidates"] = 15
        params["sources"]["als"] |= {"factors": 8, "iterations": 3, "min_buyers": 2}
        params["sources"]["similar_users"] |= {"neighbours": 5}
        return params

    def queries(self, codes: ItemCodes, when: datetime = KNOWN_AT) -> Queries:
        """Of all users: some with a session too, then a user without anything, one with a session only, and one who
        ordered only items that are not known."""
        known = [each for each in self.events if each["event_ts"] < when]
        users = [history_row(known, user) for user in USERS]
        sessions = [session_row(known, user) if n % 3 else Row() for n, user in enumerate(USERS)]
        strangers = history_row([event(0, at(), "order", "unknown", user_id="x")], "x")
        users += [Row(), Row(), strangers]
        sessions += [Row(), session_row(known, USERS[1]), Row()]
        contexts = [{"store_id": "s1"} if n % 2 else {} for n in range(len(users))]
        return queries_of_rows(codes, [epoch_us(when)] * len(users), users, sessions, contexts)


def make_shop(folder: Path, *, later: str = "") -> SmallShop:
    """``later``: what the log holds at and after KNOWN_AT: other actions, ``nothing``, or a ``marker``."""
    settings = Settings(data_dir=folder, state_dir=folder / "var", dataset="tiny", threads=1)
    events = _events(np.random.default_rng(5), 0, 40)
    future = {"": 6, "nothing": None, "marker": 7}[later]
    if future is not None:
        events += _events(np.random.default_rng(future), 40, 44)
    items = [item(i, category_id=f"c{n % 6}", shop_id=f"shop{n % 4}" if n % 5 else None) for n, i in enumerate(ITEMS)]
    if later == "marker":
        items += [item(MARKER, valid_from_ts=KNOWN_AT), item(ITEMS[0], valid_from_ts=KNOWN_AT, category_id="c-later")]
        events += [
            event(10_000 + n, at(days=40, seconds=n), "order", MARKER, user_id=MARKER_USER, session_id=f"later{n % 3}")
            for n in range(30)
        ]
    write_log(
        settings.log_dir,
        items=items,
        events=events,
        impressions=_impressions(events),
        declaration=DECLARATION,
    )
    _write_vectors(settings.log_dir, with_marker=later == "marker")
    return SmallShop(settings, events)


def _events(rng: np.random.Generator, first_day: int, last_day: int) -> list[dict[str, Any]]:
    """A visit of a third of the users per day; each looks at items near its own, and orders some of them again."""
    found = []
    for day in range(first_day, last_day):
        for user in rng.choice(len(USERS), 12, replace=False):
            session, begin = f"{USERS[user]}-{day}", float(rng.integers(0, 80_000))
            for step, offset in enumerate(rng.geometric(0.3, 4)):
                action = ("view", "add_to_cart", "order", "like")[int(rng.choice(4, p=[0.4, 0.2, 0.35, 0.05]))]
                chosen = ITEMS[(user + 3 * int(offset)) % len(ITEMS)]
                when = at(day, begin + step)
                number = len(found) + 1_000 * first_day
                found.append(event(number, when, action, chosen, user_id=USERS[user], session_id=session))
    return found


def _impressions(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A slate of every session, in a store by the session's id; in no store for some."""
    slates = {each["session_id"]: each for each in events}
    numbers = {session: sum(session.encode()) for session in slates}
    return [
        impression(
            session, 0, first["event_ts"], ITEMS[0], user_id=first["user_id"], session_id=session,
            store_id=f"s{numbers[session] % 2}" if numbers[session] % 5 else None,
        )
        for session, first in sorted(slates.items())
    ]  # fmt: skip


def _write_vectors(folder: Path, with_marker: bool) -> None:
    ids = [*ITEMS[:50], *([MARKER] if with_marker else [])]
    vectors = np.random.default_rng(1).normal(size=(len(ids), 5)).astype(np.float32)
    vectors[7] = vectors[8] = vectors[9]  # the same title three times
    vectors[10] = 0
    table = pa.table({"item_id": ids, "vector": pa.array(list(vectors), pa.list_(pa.float32()))})
    pq.write_table(table, folder / "item_vectors.parquet")


def export_sequences(shop: SmallShop, name: str, ids: list[str], until: datetime, seed: int = 11) -> None:
    """A random network as ``python -m training.gru4rec export_mlflow`` writes it, trained until ``until``."""
    import torch

    from training.gru4rec.export.onnx_graph import export_graph
    from training.gru4rec.folders import Folders
    from training.gru4rec.network.gru4rec import Gru4Rec
    from training.gru4rec.sessions.processed import SPLIT_FILE, Vocabulary

    folder = Folders(shop.settings.log_dir.parent / name).onnx
    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    export_graph(Gru4Rec(len(ids), 8).eval(), folder / "gru4rec.onnx", opset=17, max_length=10)
    Vocabulary(tuple(ids), np.ones(len(ids), np.int64)).save(folder)
    before = (until - timedelta(days=3)).isoformat()
    splits = {"train": {"to": before}, "val": {"to": until.isoformat()}, "test": {"to": at(days=99).isoformat()}}
    (folder / SPLIT_FILE).write_text(json.dumps({"splits": splits}))


def history_row(events: list[dict[str, Any]], user: str) -> Row:
    """The view user_history, by hand."""
    orders: dict[str, list[int]] = defaultdict(list)
    for each in events:
        if each["user_id"] == user and each["action"] == "order":
            orders[each["item_id"]].append(epoch_us(each["event_ts"]))
    if not orders:
        return Row()
    items = sorted(orders, key=lambda i: (-max(orders[i]), i))
    row = {
        "history_items": items,
        "history_categories": ["c"] * len(items),
        "history_counts": [len(orders[i]) for i in items],
        "history_first_us": [min(orders[i]) for i in items],
        "history_last_us": [max(orders[i]) for i in items],
    }
    for days in HALF_LIVES_DAYS:
        row[f"history_decayed_{days}d"] = [
            float(np.float32(sum(2 ** ((t - max(orders[i])) / (days * 86_400e6)) for t in orders[i]))) for i in items
        ]
    return Row(row)


def session_row(events: list[dict[str, Any]], user: str) -> Row:
    """The newest events of a user as the view session_state."""
    recent = [each for each in events if each["user_id"] == user][: -RECENT - 1 : -1]
    return Row(
        {
            "cart_items": list(dict.fromkeys(e["item_id"] for e in recent if e["action"] == "add_to_cart")),
            "recent_items": [each["item_id"] for each in recent],
            "recent_actions": [each["action"] for each in recent],
            "recent_us": [epoch_us(each["event_ts"]) for each in recent],
        }
    )
