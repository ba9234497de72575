"""The eight shapes of public data sets: each is understood without an answer, as a person would map it.

The key decisions are compared with what a person wrote down for each shape, and the log is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from feature_repo.datasets.__main__ import main as write_log
from tests.feature_repo.init.guessing import Project
from tests.shapes.__main__ import SHAPES, write_shape


@pytest.fixture
def understood(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Project]:
    """Name of a shape -> the project with its parameters and its log, made by one command each."""

    def of(name: str) -> Project:
        write_shape(name, tmp_path / "my files", size=import_module(f"tests.shapes.{name}").SMALL // 2)
        status, printed = project.run(tmp_path / "my files", name=name)
        assert status == 0, printed
        assert "NOT SURE" not in printed
        monkeypatch.setenv("RERANK_DATASET", name)
        assert write_log(["files", "--out", str(project.root / "log")]) == 0
        for table in ("impressions", "items"):
            assert pq.read_metadata(project.root / "log" / f"{table}.parquet").num_rows > 0, table
        return project

    return of


def columns(project: Project, name: str, table: str, number: int = 0) -> dict[str, Any]:
    files = [each for each in project.log(name)["files"] if each["table"] == table]
    found: dict[str, Any] = files[number]["columns"]
    return found


def declared(project: Project, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.declaration(name).read_text())
    return found


def test_priced_lists(understood: Callable[[str], Project]) -> None:
    name = "priced_lists"
    project = understood(name)
    lists = columns(project, name, "impressions")
    assert lists["item_id"] == {"from": "impressions", "split": "|"}
    assert lists["label"] == {"equals": "reference"}
    assert lists["shown_ts"] == {"from": "timestamp", "unit": "s"}
    assert lists["slate_id"] == {"from": ["session_id", "step"]}
    assert lists["prices"] == {"from": "prices", "split": "|"}
    assert columns(project, name, "events")["action"]["map"] == {
        "clickout item": "order",
        "interaction item image": "view",
    }
    searches = columns(project, name, "events", 1)
    assert "item_id" not in searches
    assert set(searches["action"]["map"].values()) == {"search"}
    assert columns(project, name, "items", 1)["price"] == {"from": "prices", "split": "|"}
    assert "slates" not in project.log(name)
    assert [each["name"] for each in declared(project, name)["facts"]] == ["prices"]


def test_movie_ratings(understood: Callable[[str], Project]) -> None:
    name = "movie_ratings"
    project = understood(name)
    events = columns(project, name, "events")
    assert events["action"] == {"from": "rating", "at_least": {0.5: "view", 4: "order"}}
    assert events["event_ts"] == {"from": "timestamp", "unit": "s"}
    assert columns(project, name, "items")["category_id"] == {"from": "genres", "cut": "|"}
    assert project.log(name)["ignore"] == ["links.csv", "tags.csv"]
    assert project.log(name)["slates"]["targets"][0] == "order"


def test_search_features(understood: Callable[[str], Project]) -> None:
    name = "search_features"
    project = understood(name)
    lists = columns(project, name, "impressions")
    assert project.log(name)["times"] == "made"
    assert project.log(name)["files"][0]["path"] == "*.csv"
    assert (lists["slate_id"], lists["item_id"], lists["label"]) == (
        {"from": "qid"},
        {"from": "docid"},
        {"from": "label"},
    )
    # f19 is the same everywhere.
    assert [each["name"] for each in declared(project, name)["facts"]] == [f"f{n}" for n in range(1, 21) if n != 19]


def test_retail_invoices(understood: Callable[[str], Project]) -> None:
    name = "retail_invoices"
    project = understood(name)
    assert project.log(name)["files"][0]["format"]["encoding"] == "latin-1"
    assert columns(project, name, "events") == {
        "user_id": {"from": "CustomerID"},
        "session_id": {"from": "Invoice"},
        "item_id": {"from": "StockCode"},
        "event_ts": {"from": "InvoiceDate", "format": "%d/%m/%Y %H:%M"},
        "action": {"value": "order"},
        "quantity": {"from": "Quantity"},
        "price": {"from": "UnitPrice"},
    }
    assert project.log(name)["returns"] == "drop"


def test_unix_clicks(understood: Callable[[str], Project]) -> None:
    name = "unix_clicks"
    project = understood(name)
    assert project.log(name)["files"][0]["path"].endswith("*.jsonl")
    assert columns(project, name, "events") == {
        "user_id": {"from": "uid"},
        "session_id": {"from": "sid"},
        "item_id": {"from": "item"},
        "event_ts": {"from": "ts", "unit": "s"},
        "action": {"value": "view"},
        "category_id": {"from": "cats", "cut": "|"},
    }
    assert project.log(name)["slates"]["targets"] == ["view"]


def test_anonymous_purchases(understood: Callable[[str], Project]) -> None:
    name = "anonymous_purchases"
    project = understood(name)
    events = columns(project, name, "events")
    assert events["event_ts"] == {"from": "event_time"}
    assert events["action"]["map"] == {"view": "view", "cart": "add_to_cart", "purchase": "order"}
    assert (events["user_id"], events["session_id"]) == ({"from": "user_id"}, {"from": "user_session"})
    items = columns(project, name, "items")
    assert (items["brand"], items["price"]) == ({"from": "brand"}, {"from": "price"})
    assert items["valid_from_ts"] == {"from": "event_time"}
    assert declared(project, name)["max_price"] >= 100_000_000  # rupiah


def test_bandit_feedback(understood: Callable[[str], Project]) -> None:
    name = "bandit_feedback"
    project = understood(name)
    lists = columns(project, name, "impressions")
    assert lists["slate_id"] == {"from": "timestamp"}
    assert lists["input_position"] == lists["shown_position"] == {"from": "position", "minus": 1}
    assert lists["label"] == {"from": "click"}
    assert "propensity_score" not in lists
    assert "propensity_score: the chance with which the policy showed it" in project.params(name).read_text()
    assert [each["name"] for each in declared(project, name)["context"]] == [f"user_feature_{n}" for n in range(4)]
    assert [each["dtype"] for each in declared(project, name)["item_extras"]] == ["float32"] + ["string"] * 3


def test_grocery_baskets(understood: Callable[[str], Project]) -> None:
    name = "grocery_baskets"
    project = understood(name)
    assert project.log(name)["files"][0]["join"] == [{"path": "orders.csv", "key": "order_id"}]
    assert columns(project, name, "events") == {
        "user_id": {"from": "user_id"},
        "session_id": {"from": "order_id"},
        "item_id": {"from": "product_id"},
        "event_ts": {
            "relative": {
                "per": "user_id",
                "order": "order_number",
                "days": "days_since_prior_order",
                "hour": "order_hour_of_day",
            }
        },
        "action": {"value": "order"},
        "quantity": {"from": "quantity", "round": True},
    }
    assert columns(project, name, "items")["category_id"] == {"from": "aisle_id"}
    assert project.log(name)["ignore"] == ["aisles.csv", "departments.csv"]


def test_all_shapes_are_asserted() -> None:
    assert {f"test_{name}" for name in SHAPES} <= globals().keys()
