"""The pages of all gates on files, and three planted faults: each is named on the page and stops the promotion."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from infra.settings import Settings
from tests.validation.canonical import Rows, good_rows, path_of, write
from training.ranker.outcome_leak import outcome_leak
from validation.__main__ import main

GATES = ("log", "live", "features", "training_set")


def page(settings: Settings, gate: str = "log") -> str:
    return (settings.reports_dir / "validation" / gate / "report.html").read_text()


def test_every_gate_writes_a_page_that_is_whole_in_itself_and_links_to_what_there_is(sound, capsys):
    for gate in GATES:
        assert main([gate]) == 0
        found = page(sound, gate)
        folder = sound.reports_dir / "validation" / gate
        assert f": {folder / 'report.html'}\n" in capsys.readouterr().out
        assert "<strong>Passed.</strong>" in found
        sources = re.findall(r'src="([^"]*)"', found)
        assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
        assert bool(sources) == (gate == "log")
        assert not re.search(r"<(script|link|iframe)|@import|url\(", found)
        for target in re.findall(r'href="([^"#][^"]*)"', found):
            assert (folder / target).is_file()


@pytest.mark.usefixtures("without_docs")
def test_equal_data_give_equal_pages(sound):
    assert main(["log"]) == 0
    folder = sound.reports_dir / "validation" / "log"
    first = {name: (folder / name).read_bytes() for name in ("report.html", "report.md")}
    assert main(["log"]) == 0
    assert {name: (folder / name).read_bytes() for name in first} == first


@pytest.mark.usefixtures("without_docs")
def test_a_log_that_cannot_be_read_still_has_its_report(sound):
    path_of(sound, "events").write_bytes(b"no parquet")
    assert main(["log"]) == 1
    found = page(sound)
    assert "<strong>Blocked.</strong>" in found
    assert "Not measured: events cannot be read as declared." in found
    assert "slates with a positive" in found


def _change(settings: Settings, table: str, select: str) -> None:
    path: Path = path_of(settings, table)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        changed = connection.sql(f"SELECT {select} FROM '{path}'").to_arrow_table()
        path.unlink()
        connection.register("changed", changed)
        connection.execute(f"COPY (FROM changed) TO '{path}' (FORMAT parquet)")


def three_users() -> dict[str, Rows]:
    """Each of three users has an event and a slate."""
    rows = good_rows()
    for number, (event, day) in enumerate(zip(rows["events"], (2, 3, 4), strict=True)):
        event["user_id"] = f"{34 + number}"
        for shown in rows["impressions"]:
            if shown["slate_id"] == f"slate{day}":
                shown["user_id"] = f"{34 + number}"
    return rows


@pytest.mark.usefixtures("without_docs")
def test_a_planted_id_mismatch_is_named_and_stops_the_pipeline(settings, capsys):
    write(settings, three_users())
    assert main(["log"]) == 0
    _change(settings, "events", "* REPLACE (user_id || '.0' AS user_id)")
    assert main(["log"]) == 1
    found = "0 of 3 users of impressions (0.0%) are among the 3 of events"
    assert f"blocking: impressions: user_id: written as in events: {found}" in capsys.readouterr().err
    assert found in page(settings)
    assert "3 more would match without regard to a trailing &#x27;.0&#x27;" in page(settings)


def _read_as(unit: int) -> Callable[[str], str]:
    return lambda column: f"make_timestamp(epoch_us({column}) // {unit})::TIMESTAMPTZ AS {column}"


@pytest.mark.usefixtures("without_docs")
def test_a_planted_unit_error_is_named_and_stops_the_pipeline(sound, capsys):
    """All times are milliseconds that were read as microseconds."""
    read = _read_as(1000)
    for table, columns in (
        ("items", ("valid_from_ts",)), ("events", ("event_ts", "received_ts")), ("impressions", ("shown_ts",)),
    ):  # fmt: skip
        _change(sound, table, f"* REPLACE ({', '.join(map(read, columns))})")
    assert main(["log"]) == 1
    assert "impressions: shown_ts: read in its own unit" in capsys.readouterr().err
    found = page(sound)
    assert "probably milliseconds read as microseconds" in found
    assert "half of them would be before 2024-03-0" in found


@pytest.mark.usefixtures("without_docs")
def test_a_planted_leak_is_named_first_and_training_sees_the_same(settings, capsys):
    """Orders that are written half an hour too early stand before the slates that they follow."""
    rows = good_rows()
    for row in rows["impressions"]:
        row |= {"label": 3, "relevant_total": 3}
        early = row["shown_ts"] - timedelta(minutes=30)
        rows["events"].append(
            {"event_id": f"{row['slate_id']}-{row['item_id']}", "user_id": "u", "session_id": "s", "action": "order",
             "item_id": row["item_id"], "category_id": "c", "price": Decimal("2.00"), "quantity": 1,
             "event_ts": early, "received_ts": early}
        )  # fmt: skip
    write(settings, rows)
    assert main(["log"]) == 0
    leak = "9 of 9 positives (100%) have their outcome before their slate and none at or after it"
    assert leak in capsys.readouterr().err
    found = page(settings)
    assert "<strong>Passed, but held back.</strong> The pipeline goes on, and training will promote no model" in found
    assert leak in found
    assert outcome_leak(settings) == leak
