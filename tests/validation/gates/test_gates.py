"""The gates over a sound data set, over files that cannot be checked, and their reports."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from infra.settings import Settings
from tests.validation.canonical import good_rows, path_of, write
from tests.validation.gates.summaries import failed_rows, report
from validation.__main__ import main


def test_a_sound_data_set_passes_every_gate(sound, capsys):
    assert main(["all"]) == 0
    assert capsys.readouterr().err == ""
    assert all(not failed_rows(report(sound, gate)) for gate in ("log", "features", "training_set"))


def test_a_test_slate_before_the_last_training_slate_is_found(settings, capsys):
    rows = good_rows()
    for row in rows["training_set"]:
        row["split"] = {"slate2": "test", "slate3": "validation", "slate4": "train"}[row["slate_id"]]
    write(settings, rows)
    assert main(["training_set"]) == 1
    failed = [line[2] for line in failed_rows(report(settings, "training_set"))]
    assert failed == ["train is before validation", "validation is before test", "train is before test"]
    assert "train is before test: 3 violations, e.g. slate_id = slate4" in capsys.readouterr().err


def test_the_number_of_violations_and_the_example_are_of_the_whole_table(settings, capsys):
    rows = good_rows()
    for row in rows["impressions"][3:7]:
        row["label"] = 9
    write(settings, rows)
    assert main(["log"]) == 1
    assert "label: at most 4: 4 violations, e.g. label = 9, slate_id = slate3, item_id = i0" in capsys.readouterr().err


def _replace_column(settings: Settings, table: str, column: str, values: Callable[[pa.Array], pa.Array] | None) -> None:
    path = path_of(settings, table)
    frame = pq.read_table(path)
    position = frame.schema.get_field_index(column)
    changed = frame.remove_column(position)
    if values is not None:
        changed = changed.add_column(position, column, values(frame[column]))
    pq.write_table(changed, path)


@pytest.mark.usefixtures("without_docs")
@pytest.mark.parametrize(
    ("gate", "table", "column", "declared"),
    [
        ("log", "items", "price", "decimal128(12, 2)"),
        ("features", "item_windows", "orders_28d", "float"),
        ("features", "events", "received_ts", "timestamp[us, tz=UTC]"),
        ("training_set", "training_set", "bought_count", "float"),
    ],
)
@pytest.mark.parametrize("missing", [False, True])
def test_a_wrong_or_missing_column_is_named_with_its_file(sound, capsys, gate, table, column, declared, missing):
    _replace_column(sound, table, column, None if missing else lambda values: pc.cast(values, pa.string()))
    assert main([gate]) == 1
    found = "missing" if missing else "string"
    line = f"blocking: {table}: {column}: is {declared}: 1 violation, e.g. {found} in {path_of(sound, table)}"
    assert line in capsys.readouterr().err
    assert [row[:2] for row in failed_rows(report(sound, gate))] == [[table, column]]
    assert "not checked" in report(sound, gate)


@pytest.mark.parametrize("state", ["missing", "unreadable"])
def test_a_file_that_cannot_be_read_is_named(sound, capsys, state):
    path = path_of(sound, "events")
    path.unlink() if state == "missing" else path.write_bytes(b"no parquet")
    assert main(["log"]) == 1
    assert re.search(rf"blocking: events: \(file\): is readable: .*{state}: {path}", capsys.readouterr().err)
    assert failed_rows(report(sound, "log"))[0][:2] == ["events", "(file)"]


def test_features_of_the_training_set_in_another_order_are_found(sound, capsys):
    path = path_of(sound, "training_set")
    frame = pq.read_table(path)
    names = frame.schema.names
    pq.write_table(frame.select([*names[:-2], names[-1], names[-2]]), path)
    assert main(["training_set"]) == 1
    assert f"(order): is as declared: 1 violation, e.g. differs from '{names[-1]}' on" in capsys.readouterr().err


def test_a_warning_is_printed_and_does_not_block(settings, capsys):
    rows = good_rows()
    rows["events"][0]["price"] = None
    write(settings, rows)
    assert main(["log"]) == 0
    assert "warning: events: price: known for items (at least 75% of rows): 1 violation" in capsys.readouterr().err
    assert [row[3:5] for row in failed_rows(report(settings, "log"))] == [["warning", "FAIL"]]


@pytest.mark.usefixtures("without_docs")
def test_events_need_no_price_where_no_item_has_one(settings, capsys):
    rows = good_rows()
    for row in (*rows["events"], *rows["items"]):
        row["price"] = None
    write(settings, rows)
    assert main(["log"]) == 0
    assert "price" not in capsys.readouterr().err


def test_outcomes_before_their_slate_are_a_warning_with_an_example(settings, capsys):
    rows = good_rows()
    wanted = [row for row in rows["impressions"] if row["input_position"] < 2]
    for number, row in enumerate(wanted):
        row |= {"label": 3, "relevant_total": 2}
        early = row["shown_ts"] - timedelta(minutes=30)
        category = {"category_id": "c", "price": Decimal("2.00"), "quantity": 1}
        rows["events"].append(
            {"event_id": f"early{number}", "user_id": row["user_id"], "session_id": row["session_id"], **category,
             "item_id": row["item_id"], "event_ts": early, "received_ts": early, "action": "order"}
        )  # fmt: skip
    for row in rows["impressions"]:
        row["relevant_total"] = 2
    write(settings, rows)
    assert main(["log"]) == 0
    assert "warning: impressions: label: its outcome is not before the slate" in capsys.readouterr().err


def test_an_undeclared_column_is_a_warning(sound, capsys):
    path = path_of(sound, "items")
    frame = pq.read_table(path)
    pq.write_table(frame.append_column("colour", pa.array(["red"] * len(frame))), path)
    assert main(["log"]) == 0
    assert "warning: items: (extra columns): is none: 1 violation, e.g. colour" in capsys.readouterr().err


def test_a_log_without_declaration_is_refused(sound, capsys):
    (sound.log_dir / "dataset.json").unlink()
    assert main(["log"]) == 1
    assert "dataset.json is missing" in capsys.readouterr().err


def test_damaged_pages_leave_the_report_of_the_last_run_unchanged(sound, capsys):
    assert main(["log"]) == 0
    before = report(sound, "log")
    path = path_of(sound, "events")
    data = bytearray(path.read_bytes())
    data[4:200] = b"\xff" * 196
    path.write_bytes(bytes(data))
    assert main(["log"]) == 1
    assert "gate log" in capsys.readouterr().err
    assert report(sound, "log") == before
    assert [path.name for path in (sound.reports_dir / "validation").iterdir()] == ["log"]


def test_data_docs_show_every_suite_and_nothing_of_an_earlier_run(sound):
    folder = sound.reports_dir / "validation" / "log"
    for _ in range(2):
        assert main(["log"]) == 0
    index = (folder / "index.html").read_text()
    suites = {f"log {table} {kind}" for table in ("items", "events", "impressions") for kind in ("schema", "rows")}
    assert all(suite in index for suite in suites)
    assert len(list(folder.glob("validations/**/*.html"))) == len(suites)
    page = next(folder.glob("expectations/log events rows.html")).read_text()
    assert "quantity: at least 1 [blocking]" in page
    assert [path.name for path in folder.parent.iterdir()] == ["log"]


@pytest.mark.parametrize("gate", ["log", "features", "training_set"])
def test_data_docs_show_the_failed_expectations(settings, caplog, gate):
    rows = good_rows()
    rows["events"][0]["quantity"] = -2
    rows["user_windows"][0]["user_is_new"] = 2.0
    rows["training_set"][0]["price"] = -1.0
    write(settings, rows)
    faulty = {"log": "events", "features": "user_windows", "training_set": "training_set"}[gate]
    _replace_column(settings, "items", "brand", None)
    assert main([gate]) == 1
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    folder = settings.reports_dir / "validation" / gate
    (page,) = folder.glob(f"validations/{gate} {faulty} rows/**/*.html")
    assert "Failed" in page.read_text()


@pytest.mark.usefixtures("without_docs")
def test_equal_data_give_equal_summaries(sound):
    assert main(["log"]) == 0
    first = report(sound, "log")
    assert main(["log"]) == 0
    assert report(sound, "log") == first
