"""The mapping of a user's own files, as YAML has it."""

from __future__ import annotations

import pytest
import yaml

from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.files.mapping import (
    FileFormat,
    FileMapping,
    Join,
    Slates,
    SourceMapping,
    Values,
    mapping_from,
)

TEXT = """
adapter: files
input: /data/my_shop
files:
  - table: events
    path: events_*.csv.gz
    columns:
      user_id: {from: customer}
      session_id: {from: [day, customer]}
      event_ts: {from: ts, unit: s}
      action: {from: event, map: {1: order, view: view}}
      quantity: {from: kg, round: true}
    where: {status: [done, 3]}
    join: [{path: orders.csv, key: order_id}]
    format: {delimiter: ";"}
ignore: readme.txt
slates: {targets: [order, like], per_day: 10}
"""

MAPPING = SourceMapping(
    files=(
        FileMapping(
            table="events",
            path="events_*.csv.gz",
            columns={
                "user_id": Values(source=("customer",)),
                "session_id": Values(source=("day", "customer")),
                "event_ts": Values(source=("ts",), unit="s"),
                "action": Values(source=("event",), map={"1": "order", "view": "view"}),
                "quantity": Values(source=("kg",), round=True),
            },
            where={"status": ("done", "3")},
            join=(Join(path="orders.csv", key=("order_id",)),),
            format=FileFormat(delimiter=";"),
        ),
    ),
    ignore=("readme.txt",),
    slates=Slates(targets=("order", "like"), per_day=10),
)


def test_the_yaml_of_a_mapping_is_read() -> None:
    assert mapping_from(yaml.safe_load(TEXT)) == MAPPING


def test_all_faults_are_named_at_once_with_their_places() -> None:
    section = {
        "files": [{"table": "orders", "path": "a.csv", "columns": {"event_ts": {"from": "t", "unit": "hours"}}}],
        "session": {},
        "slates": {"per_day": "many"},
    }
    with pytest.raises(DatasetError) as caught:
        mapping_from(section)
    assert str(caught.value).splitlines() == [
        "the mapping is wrong:",
        "  log.files[0].table: Input should be 'items', 'events' or 'impressions'",
        "  log.files[0].columns.event_ts.unit: Input should be 's', 'ms', 'us' or 'ns'",
        "  log.slates.per_day: Input should be a valid integer, unable to parse string as an integer",
        "  log.session: Extra inputs are not permitted",
    ]


def test_what_has_to_be_there_is_named() -> None:
    with pytest.raises(DatasetError, match=r"log\.files\[0\]\.columns: Field required"):
        mapping_from({"files": [{"table": "items", "path": "a.csv"}]})


def test_what_yaml_reads_as_a_number_or_a_date_is_text() -> None:
    columns = "{event_ts: {value: 2024-05-01}, action: {from: a, map: {1: view, 2024-05-02: order}}}"
    text = f"files: [{{table: events, path: a.csv, columns: {columns}, where: {{day: [2024-05-01, 7]}}}}]"
    [file] = mapping_from(yaml.safe_load(text)).files
    assert file.columns["event_ts"].value == "2024-05-01"
    assert file.columns["action"].map == {"1": "view", "2024-05-02": "order"}
    assert file.where == {"day": ("2024-05-01", "7")}


def test_what_yaml_reads_as_a_boolean_needs_quotes() -> None:
    columns = "{action: {from: a, map: {yes: view}}}"
    text = f"files: [{{table: events, path: a.csv, columns: {columns}, where: {{bought: true}}}}]"
    with pytest.raises(DatasetError) as caught:
        mapping_from(yaml.safe_load(text))
    said = str(caught.value)
    assert "columns.action.map: Value error, True needs quotes: YAML reads yes, no, on, off, true and false" in said
    assert "where.bought: Value error, True needs quotes" in said
