"""The slates that were served and shown, with the feedback on them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets.declarations.declaration_json import DECLARATION_FILE, declaration_to_json
from feature_repo.datasets.errors import DatasetError
from feature_repo.live.event import LiveEvent
from feature_repo.live.event_files import write_batch
from feature_repo.live.score_records import RECOMMEND, ScoreRecord, batch_of, score_folder
from feature_repo.schema import Column, Declaration, DType, arrow_schema, log_tables
from infra.settings import Settings
from training.training_set.served_slates import write_served_slates

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
NOON_US = int(NOON.timestamp()) * 1_000_000
DECLARATION = Declaration(
    "shop", "Shop",
    facts=(Column("is_promoted", DType.FLOAT32, "1 if promoted", nullable=True),),
    context=(Column("store_id", DType.STRING, "store", nullable=True),),
)  # fmt: skip
DAY = timedelta(hours=24)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(_env_file=None, state_dir=tmp_path / "var", data_dir=tmp_path / "data", dataset="shop")
    made.log_dir.mkdir(parents=True)
    (made.log_dir / DECLARATION_FILE).write_text(declaration_to_json(DECLARATION))
    for table in log_tables(DECLARATION):
        pq.write_table(arrow_schema(table.columns).empty_table(), made.log_dir / f"{table.name}.parquet")
    return made


def serve(settings: Settings, *records: ScoreRecord) -> None:
    folder = score_folder(settings.live_dir) / "day=2024-03-01"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_batches([batch_of(list(records), "w")]), folder / "w-1.parquet")


def served(request: str = "r", items: str = "abcd", **more: Any) -> ScoreRecord:
    fields: dict[str, Any] = {
        "request_id": request, "scored_us": NOON_US, "clock": "wall", "item_ids": list(items),
        "scores": np.zeros(len(items)), "model_name": "m", "model_version": "1", "contract_hash": "c",
        "degraded": False, "user_id": "u", "session_id": "s",
    }  # fmt: skip
    return ScoreRecord(**(fields | more))


def accept(settings: Settings, *events: tuple[str, str | None, float, dict[str, Any]]) -> None:
    """(action, item, seconds after the slate, more)."""
    found = [
        (
            NOON_US + i,
            LiveEvent(
                event_id=f"e{i}", action=action, item_id=item, event_us=NOON_US + round(seconds * 1e6),
                **({"user_id": "u", "session_id": "s", "request_id": "r"} | more),
            ),
        )
        for i, (action, item, seconds, more) in enumerate(events)
    ]  # fmt: skip
    write_batch(settings.live_dir, "1-0", "2-0", found)


def shown(item: str, at: int, **more: Any) -> tuple[str, str, float, dict[str, Any]]:
    return ("impression", item, 0.1, {"shown_position": at, **more})


def rows(settings: Settings, window: timedelta = DAY) -> list[dict[str, Any]]:
    found = write_served_slates(settings, DECLARATION, settings.training_dir / "from_log", window)
    return pq.read_table(found.path).to_pylist()


def test_shown_items_are_labelled_by_their_highest_feedback_and_others_are_not_labelled(settings: Settings) -> None:
    serve(settings, served())
    accept(settings, shown("c", 0), shown("a", 1), shown("b", 2), ("view", "a", 5, {}), ("order", "a", 9, {}),
         ("view", "c", 6, {}), ("view", "d", 7, {}))  # fmt: skip
    found = {row["item_id"]: (row["input_position"], row["shown_position"], row["label"]) for row in rows(settings)}
    assert found == {"a": (0, 1, 3), "b": (1, 2, 0), "c": (2, 0, 1), "d": (3, None, -1)}
    assert {row["relevant_total"] for row in rows(settings)} == {2}


def test_feedback_is_joined_only_by_request_and_within_its_window(settings: Settings) -> None:
    serve(settings, served())
    accept(settings, shown("a", 0), shown("b", 1), shown("c", 2), ("order", "a", 5, {"request_id": None}),
         ("order", "b", 5, {"request_id": "another"}), ("view", "c", 3601, {}), ("view", "a", -5, {}))  # fmt: skip
    assert [row["label"] for row in rows(settings, timedelta(hours=1))] == [0, 0, 0, -1]
    assert [row["label"] for row in rows(settings)] == [0, 0, 1, -1]


OTHERS = {"user_id": "x", "session_id": "y"}


@pytest.mark.parametrize(
    ("slate", "event", "counts"),
    [
        ({}, OTHERS, False),
        ({}, {"session_id": "y"}, True),
        ({}, {"user_id": "x"}, True),
        ({"user_id": None}, {"user_id": "x"}, True),
        ({"user_id": None}, {"session_id": "y"}, False),
        ({"session_id": None}, {"session_id": "y"}, True),
        ({"session_id": None}, {"user_id": "x"}, False),
        ({"user_id": None, "session_id": None}, OTHERS, True),
    ],
)
def test_feedback_counts_only_where_its_user_or_its_session_is_the_slates(
    settings: Settings, slate: dict[str, Any], event: dict[str, Any], counts: bool
) -> None:
    serve(settings, served(**slate))
    accept(settings, shown("a", 0), ("order", "a", 5, event),
           ("impression", "b", 0.1, {"shown_position": 1} | event))  # fmt: skip
    labels = {row["item_id"]: (row["label"], row["shown_position"]) for row in rows(settings)}
    assert labels["a"] == (3 if counts else 0, 0)
    assert labels["b"] == ((0, 1) if counts else (-1, None))


def test_the_slate_has_the_facts_of_the_request(settings: Settings) -> None:
    serve(settings, served(sent=[(1, {"is_promoted": 1.0, "price": 3.0}), (2, {"price": 4.0})],
                           context={"store_id": "7"}, user_id=None))  # fmt: skip
    accept(settings, shown("a", 0))
    found = rows(settings)
    assert [row["is_promoted"] for row in found] == [None, 1.0, None, None]
    assert {row["store_id"] for row in found} == {"7"}
    assert {(row["user_id"], row["session_id"], row["shown_ts"]) for row in found} == {("", "s", NOON)}


def test_a_slate_of_which_no_item_was_shown_is_left_out(settings: Settings) -> None:
    serve(settings, served(), served("unseen"))
    accept(settings, shown("a", 0), ("view", "a", 1, {"request_id": "unseen"}))
    assert {row["slate_id"] for row in rows(settings)} == {"r"}


def test_recommended_slates_train_no_ranker_of_lists_and_files_of_old_releases_have_none(settings: Settings) -> None:
    old = pa.Table.from_batches([batch_of([served("old", "xy")], "w")])
    serve(settings, served(), served("recommended", "efg", kind=RECOMMEND))
    path = score_folder(settings.live_dir) / "day=2024-03-01" / "w-0.parquet"
    pq.write_table(old.drop_columns(["kind", "answered", "removed", "explored"]), path)
    accept(settings, shown("a", 0), shown("e", 0, request_id="recommended"), shown("x", 0, request_id="old"))
    assert {row["slate_id"] for row in rows(settings)} == {"r", "old"}


def test_imported_slates_count_if_their_positions_are_known(settings: Settings) -> None:
    path = settings.log_dir / "impressions.parquet"
    schema = pq.read_schema(path)
    row = {"slate_id": "old", "user_id": "u", "session_id": "s", "shown_ts": NOON, "label": 4, "relevant_total": 2,
           "is_promoted": 1.0, "store_id": "7"}  # fmt: skip
    known = [{**row, "item_id": item, "input_position": i, "shown_position": 1 - i} for i, item in enumerate("ab")]
    unknown = {**row, "slate_id": "older", "item_id": "a", "input_position": 0, "shown_position": None}
    pq.write_table(pa.Table.from_pylist([*known, unknown], schema=schema), path)
    accept(settings, ("view", "b", 3, {"request_id": "old"}))
    found = [(r["slate_id"], r["item_id"], r["shown_position"], r["label"], r["is_promoted"]) for r in rows(settings)]
    assert found == [("old", "a", 1, 0, 1.0), ("old", "b", 0, 1, 1.0)]


def test_the_error_without_shown_slates_names_the_events_to_send(settings: Settings) -> None:
    serve(settings, served())
    with pytest.raises(DatasetError, match="request_id and shown_position"):
        rows(settings)
