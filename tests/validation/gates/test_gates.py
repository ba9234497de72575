"""Each gate passes a sound data set, and catches and names each planted fault."""

import re
from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from infra.settings import Settings
from tests.validation.canonical import Rows, at, good_rows, path_of, write
from validation.__main__ import main
from validation.gates.docs import SuiteRunner

Plant = Callable[[dict[str, Rows]], object]
INF, NAN = float("inf"), float("nan")


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setenv("RERANK_DATASET", "tiny")
    monkeypatch.setenv("RERANK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RERANK_STATE_DIR", str(tmp_path / "var"))
    return Settings()


@pytest.fixture
def sound(settings) -> Settings:
    write(settings, good_rows())
    return settings


@pytest.fixture
def without_docs(monkeypatch) -> None:
    """Data Docs take half of a small run."""
    monkeypatch.setattr(SuiteRunner, "build", lambda runner: None)


def report(settings: Settings, gate: str) -> str:
    return (settings.reports_dir / "validation" / gate / "summary.md").read_text()


def failed_rows(text: str) -> list[list[str]]:
    """Cells of the summary's failing lines."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return [line for line in lines if line[4] == "FAIL"]


def set_value(table: str, column: str, value: object, row: int = 0) -> Plant:
    return lambda rows: rows[table][row].__setitem__(column, value)


def repeat(table: str) -> Plant:
    return lambda rows: rows[table].append(dict(rows[table][0]))


def drop_row(table: str, row: int) -> Plant:
    return lambda rows: rows[table].pop(row)


def move_row_to_end(table: str, row: int) -> Plant:
    return lambda rows: rows[table].append(rows[table].pop(row))


LATE = at(100)
SHORT = "as long as history_items"
SHARED = "the same in all rows of a slate"
POSITIONS = "0 to n - 1 in each slate"
FAULTS: list[tuple[str, Plant, str, str, str]] = [
    ("log", set_value("items", "item_id", None), "items", "item_id", "not null"),
    ("log", set_value("events", "user_id", None), "events", "user_id", "not null"),
    ("log", repeat("events"), "events", "event_id", "unique"),
    ("log", repeat("items"), "items", "item_id, valid_from_ts", "unique"),
    ("log", set_value("items", "price", Decimal("100000.01")), "items", "price", "at most 100000"),
    ("log", set_value("items", "price", Decimal("-0.01")), "items", "price", "at least 0"),
    ("log", set_value("events", "quantity", -2), "events", "quantity", "at least 1"),
    ("log", set_value("events", "event_ts", LATE), "events", "event_ts", "not after the end of the log"),
    ("log", set_value("items", "valid_from_ts", LATE), "items", "valid_from_ts", "not after the end of the log"),
    ("log", set_value("events", "received_ts", at(100_000)), "events", "received_ts", "not in the future"),
    ("log", set_value("impressions", "shown_ts", at(100_000), 8), "impressions", "shown_ts", "not in the future"),
    ("log", set_value("events", "category_id", "nowhere"), "events", "category_id", "is the category of an item"),
    ("log", set_value("events", "item_id", "ghost"), "events", "item_id", "is in items"),
    ("log", set_value("impressions", "item_id", "ghost"), "impressions", "item_id", "is in items"),
    ("log", set_value("events", "action", "steal"), "events", "action", "one of impression, view, like"),
    ("log", set_value("impressions", "user_id", "other"), "impressions", "user_id", SHARED),
    ("log", set_value("impressions", "shown_ts", at(2)), "impressions", "shown_ts", SHARED),
    ("log", set_value("impressions", "store_id", None), "impressions", "store_id", SHARED),
    ("log", set_value("impressions", "input_position", 1), "impressions", "input_position", POSITIONS),
    ("log", drop_row("impressions", 1), "impressions", "input_position", POSITIONS),
    ("log", set_value("impressions", "label", 5), "impressions", "label", "at most 4"),
    ("log", set_value("impressions", "label", 1, 1), "impressions", "relevant_total", "at least the slate's rows"),
    ("log", set_value("impressions", "is_recommended", NAN), "impressions", "is_recommended", "finite"),
    ("log", lambda rows: rows["impressions"].clear(), "impressions", "(rows)", "at least one"),
    ("features", set_value("item_windows", "item_id", None), "item_windows", "item_id", "not null"),
    ("features", repeat("session_state"), "session_state", "session_id, event_timestamp", "unique"),
    ("features", set_value("item_windows", "orders_7d", -1.0), "item_windows", "orders_7d", "at least 0"),
    ("features", set_value("user_windows", "user_spend_28d", INF), "user_windows", "user_spend_28d", "finite"),
    ("features", set_value("user_windows", "user_is_new", 2.0), "user_windows", "user_is_new", "at most 1"),
    ("features", set_value("user_history", "history_counts", [1]), "user_history", "history_counts", SHORT),
    ("features", set_value("user_history", "history_last_us", None), "user_history", "history_last_us", SHORT),
    ("features", set_value("session_state", "recent_us", []), "session_state", "recent_us", "as long as recent_items"),
    (
        "features",
        set_value("user_windows", "event_timestamp", at(5)),
        "user_windows",
        "event_timestamp",
        "not after the",
    ),
    (
        "features",
        set_value("user_windows", "event_timestamp", at(1, 1)),
        "user_windows",
        "event_timestamp",
        "a UTC mid",
    ),
    (
        "features",
        set_value("session_state", "event_timestamp", at(4, 33)),
        "session_state",
        "event_timestamp",
        "at most",
    ),
    (
        "features",
        set_value("item_windows", "created_timestamp", at()),
        "item_windows",
        "created_timestamp",
        "not before",
    ),
    ("features", set_value("item_windows", "item_id", "ghost"), "item_windows", "item_id", "is in items"),
    ("features", set_value("user_windows", "user_id", "ghost"), "user_windows", "user_id", "is in the log"),
    ("features", set_value("item_attributes", "category_id", "x"), "item_attributes", "category_id", "is the category"),
    ("training_set", set_value("training_set", "label", None), "training_set", "label", "not null"),
    ("training_set", repeat("training_set"), "training_set", "slate_id, item_id", "unique"),
    ("training_set", set_value("training_set", "bought_due", INF), "training_set", "bought_due", "not infinite"),
    ("training_set", set_value("training_set", "price", -1.0), "training_set", "price", "at least 0"),
    ("training_set", move_row_to_end("training_set", 0), "training_set", "slate_id", "rows of a slate are contiguous"),
    ("training_set", move_row_to_end("training_set", 6), "training_set", "position", POSITIONS),
    ("training_set", set_value("training_set", "split", "test"), "training_set", "split", SHARED),
    ("training_set", set_value("training_set", "split", "holdout"), "training_set", "split", "one of train, valid"),
    ("training_set", drop_row("training_set", 8), "training_set", "slate_id, item_id", "every impression of the log"),
    (
        "training_set",
        set_value("training_set", "item_id", "x"),
        "training_set",
        "slate_id, item_id",
        "is an impression",
    ),
]


@pytest.mark.usefixtures("without_docs")
@pytest.mark.parametrize(
    ("gate", "plant", "table", "column", "text"),
    FAULTS,
    ids=[f"{number}-{fault[2]}-{fault[3]}-{fault[4]}"[:60] for number, fault in enumerate(FAULTS)],
)
def test_a_planted_fault_is_caught_and_named(settings, capsys, gate, plant, table, column, text):
    rows = good_rows()
    plant(rows)
    write(settings, rows)
    assert main([gate]) == 1
    named = [line for line in failed_rows(report(settings, gate)) if line[:2] == [table, column]]
    named = [line for line in named if line[2].startswith(text)]
    assert len(named) == 1
    assert named[0][3] == "blocking"
    assert int(named[0][5]) >= 1
    assert named[0][6]
    assert f"blocking: {table}: {column}: {text}" in capsys.readouterr().err


def test_a_sound_data_set_passes_every_gate(sound, capsys):
    assert main(["all"]) == 0
    assert capsys.readouterr().err == ""
    assert all(not failed_rows(report(sound, gate)) for gate in ("log", "features", "training_set"))


def test_a_test_slate_before_the_last_training_slate_is_caught(settings, capsys):
    rows = good_rows()
    for row in rows["training_set"]:
        row["split"] = {"slate2": "test", "slate3": "validation", "slate4": "train"}[row["slate_id"]]
    write(settings, rows)
    assert main(["training_set"]) == 1
    caught = [line[2] for line in failed_rows(report(settings, "training_set"))]
    assert caught == ["train lies before validation", "validation lies before test", "train lies before test"]
    assert "train lies before test: 3 offenders, e.g. slate_id = slate4" in capsys.readouterr().err


def test_the_number_of_offenders_and_the_example_are_those_of_the_whole_table(settings, capsys):
    rows = good_rows()
    for row in rows["impressions"][3:7]:
        row["label"] = 9
    write(settings, rows)
    assert main(["log"]) == 1
    assert "label: at most 4: 4 offenders, e.g. label = 9, slate_id = slate3, item_id = i0" in capsys.readouterr().err


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
    line = f"blocking: {table}: {column}: is {declared}: 1 offender, e.g. {found} in {path_of(sound, table)}"
    assert line in capsys.readouterr().err
    assert [row[:2] for row in failed_rows(report(sound, gate))] == [[table, column]]
    assert "not judged" in report(sound, gate)


@pytest.mark.parametrize("state", ["missing", "unreadable"])
def test_a_file_that_cannot_be_read_is_named(sound, capsys, state):
    path = path_of(sound, "events")
    path.unlink() if state == "missing" else path.write_bytes(b"no parquet")
    assert main(["log"]) == 1
    assert re.search(rf"blocking: events: \(file\): is readable: .*{state}: {path}", capsys.readouterr().err)
    assert failed_rows(report(sound, "log"))[0][:2] == ["events", "(file)"]


def test_features_of_the_training_set_in_another_order_are_caught(sound, capsys):
    path = path_of(sound, "training_set")
    frame = pq.read_table(path)
    names = frame.schema.names
    pq.write_table(frame.select([*names[:-2], names[-1], names[-2]]), path)
    assert main(["training_set"]) == 1
    assert f"(order): is as declared: 1 offender, e.g. differs from '{names[-1]}' on" in capsys.readouterr().err


def test_a_warning_is_printed_and_does_not_block(settings, capsys):
    rows = good_rows()
    rows["events"][0]["price"] = None
    write(settings, rows)
    assert main(["log"]) == 0
    assert "warning: events: price: known for items (at least 75% of rows): 1 offender" in capsys.readouterr().err
    assert [row[3:5] for row in failed_rows(report(settings, "log"))] == [["warning", "FAIL"]]


def test_an_undeclared_column_is_a_warning(sound, capsys):
    path = path_of(sound, "items")
    frame = pq.read_table(path)
    pq.write_table(frame.append_column("colour", pa.array(["red"] * len(frame))), path)
    assert main(["log"]) == 0
    assert "warning: items: (extra columns): is none: 1 offender, e.g. colour" in capsys.readouterr().err


def test_a_log_without_declaration_is_refused(sound, capsys):
    (sound.log_dir / "dataset.json").unlink()
    assert main(["log"]) == 1
    assert "dataset.json is missing" in capsys.readouterr().err


def test_damaged_pages_leave_the_report_of_the_last_run_as_it_was(sound, capsys):
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


def test_data_docs_show_every_suite_and_hold_nothing_of_an_earlier_run(sound):
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
def test_data_docs_show_what_failed(settings, caplog, gate):
    rows = good_rows()
    rows["events"][0]["quantity"] = -2
    rows["user_windows"][0]["user_is_new"] = 2.0
    rows["training_set"][0]["price"] = -1.0
    write(settings, rows)
    spoilt = {"log": "events", "features": "user_windows", "training_set": "training_set"}[gate]
    _replace_column(settings, "items", "brand", None)
    assert main([gate]) == 1
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    folder = settings.reports_dir / "validation" / gate
    (page,) = folder.glob(f"validations/{gate} {spoilt} rows/**/*.html")
    assert "Failed" in page.read_text()


@pytest.mark.usefixtures("without_docs")
def test_the_same_data_give_the_same_summary(sound):
    assert main(["log"]) == 0
    first = report(sound, "log")
    assert main(["log"]) == 0
    assert report(sound, "log") == first
