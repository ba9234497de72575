"""Files as shops have them: what init understands, the adapter reads with the mapping that init wrote."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from feature_repo.datasets.__main__ import main as write_log
from tests.feature_repo.init.folders import at
from tests.feature_repo.init.guessing import Project

ACTIONS = ("view", "add_to_cart", "purchase", "view")
HEADER = "user_id,item_id,event_time,action"
Counts = Callable[[str], int]


def row(number: int) -> str:
    """40 users, 37 items, an action each six hours."""
    return f"u{number % 40},i{number * 7 % 37},{at(number):%Y-%m-%d %H:%M:%S},{ACTIONS[number % 4]}"


def text(count: int = 160, more: Callable[[int], str] = lambda _: "", header: str = HEADER) -> str:
    return "\n".join([header, *(f"{row(number)}{more(number)}" for number in range(count))]) + "\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def imported(project: Project, source: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Counts]:
    """Understands the files and imports them. Returns the number of events that are ``where``."""

    def run() -> Counts:
        status, printed = project.run(source)
        assert status == 0, printed
        monkeypatch.setenv("RERANK_DATASET", "shop")
        log = project.root / "log"
        assert write_log(["files", "--out", str(log)]) == 0
        return lambda where: int(
            duckdb.execute(f"SELECT count(*) FROM '{log}/events.parquet' WHERE {where}").fetchall()[0][0]
        )

    return run


def test_line_ends_inside_of_quotes(imported: Callable[[], Counts], source: Path) -> None:
    written = text(more=lambda n: f',"good,\nbut ""late"" {n}"', header=f"{HEADER},comment")
    (source / "events.csv.gz").write_bytes(gzip.compress(written.encode()))
    assert imported()("true") == 160


def test_the_signs_of_windows(project: Project, imported: Callable[[], Counts], source: Path) -> None:
    (source / "events.csv").write_bytes(text().replace("i7,", "5 € „Gutschein“,").encode("cp1252"))
    count = imported()
    assert project.entry("events")["format"]["encoding"] == "cp1252"
    assert count("item_id = '5 € „Gutschein“'") > 0
    project.run(source)  # with the encoding in the file of parameters


@pytest.mark.parametrize("nothing", ["", "\n\n", f"{HEADER}\n"])
def test_a_day_without_events_beside_others(imported: Callable[[], Counts], source: Path, nothing: str) -> None:
    for day, written in ((1, text()), (2, text()), (3, nothing)):
        (source / f"events_{day}.csv").write_text(written)
    assert imported()("true") == 320


def test_blanks_behind_the_delimiter(imported: Callable[[], Counts], source: Path) -> None:
    (source / "events.csv").write_text(text().replace(",", ", "))
    assert imported()("user_id = 'u7' AND item_id = 'i12' AND action = 'view'") == 1


def test_words_for_nothing_are_no_user(imported: Callable[[], Counts], source: Path) -> None:
    prices = text(more=lambda n: ",N/A" if n % 5 == 0 else f",{n}.5", header=f"{HEADER},price")
    (source / "events.csv").write_text(prices.replace("u7,", "None,"))
    count = imported()
    assert count("user_id ILIKE 'none'") == 0
    assert count("user_id LIKE 'event-%'") == 4
    assert count("price = 1.5") == 1


def test_prices_with_the_sign_of_a_currency(imported: Callable[[], Counts], source: Path) -> None:
    written = text(more=lambda n: f',"1,2{n % 10}9.00 €"', header=f"{HEADER},price")
    (source / "events.csv").write_text(written)
    assert imported()("price = 1239") == 16


def test_a_column_named_price_that_holds_none_is_left_out(project: Project, source: Path) -> None:
    (source / "events.csv").write_text(text(more=lambda n: f",ask us {n}", header=f"{HEADER},price"))
    status, printed = project.run(source)
    assert status == 0
    assert "price" not in project.entry("events")["columns"]
    assert "holds no numbers, such as" in printed


def test_a_file_without_a_suffix(imported: Callable[[], Counts], source: Path) -> None:
    (source / "events").write_text(text())
    assert imported()("true") == 160


def test_dates_of_json_are_text_and_asked_about_like_those_of_csv(project: Project, source: Path) -> None:
    lines = [
        {"user_id": n % 9, "item_id": f"{n % 7:03}", "date": f"0{1 + n % 9}/0{1 + n % 7}/2023", "action": "buy"}
        for n in range(90)
    ]
    (source / "events.jsonl").write_text("\n".join(map(json.dumps, lines)))
    status, printed = project.run(source)
    assert (status, "fits %d/%m/%Y and %m/%d/%Y" in printed) == (2, True)


def test_stars_with_a_decimal_comma(project: Project, source: Path) -> None:
    lines = [f"{n % 30};{n * 7 % 50};{1 + n % 9 // 2},{n % 2 * 5};{at(n):%Y-%m-%d}" for n in range(300)]
    (source / "ratings.csv").write_text("\n".join(["user;movie;rating;date", *lines]) + "\n")
    status, printed = project.run(source)
    assert status == 0, printed
    assert project.entry("events")["columns"]["action"]["at_least"] == {1: "view", 4.5: "order"}


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("user,item,item\nu1,5,7\nu2,6,8\n", "events.csv: has two columns of the name 'item': rename one"),
        ("", "events.csv: the file is empty"),
        (HEADER + "\n", "events.csv: has no rows"),
    ],
)
def test_nothing_to_read_is_a_sentence(project: Project, source: Path, written: str, what: str) -> None:
    (source / "events.csv").write_text(written)
    status, printed = project.run(source)
    assert (status, what in printed) == (2, True), printed


def test_a_row_with_too_many_cells_is_named_where_it_stands(project: Project, source: Path) -> None:
    (source / "events.csv").write_text(text() + "u1,i1,2023-05-01 00:00:00,view,what,is,this\n")
    status, printed = project.run(source)
    assert status == 2
    fault = "row 161: Expected Number of Columns: 4 Found: 5; a delimiter inside a value needs quotes"
    assert fault in printed
    (source / "notes.csv").write_text("word,more\nx,1\ny,2\n")  # is left out by itself
    status, printed = project.run(source)
    assert (status, f"      events.csv {fault}" in printed) == (2, True)
    assert "or --set 'ignore=[\"events.csv\"]'" in printed


def test_ids_with_zeros_in_front_in_one_file_only_are_shown(project: Project, source: Path) -> None:
    (source / "events.csv").write_text(text().replace(",i", ",000").replace("000tem_id", "item_id"))
    (source / "products.csv").write_text("item_id,brand\n" + "".join(f"{n},b{n % 3}\n" for n in range(37)))
    _, printed = project.run(source)
    assert "only 0% of the items in events.csv (item_id) stand in products.csv (item_id)" in printed
    assert "an id has to be written alike in both" in printed


def test_events_of_nobody_and_orders_that_were_cancelled_are_said(project: Project, source: Path) -> None:
    written = text(more=lambda n: ",cancelled" if n % 9 == 0 else ",done", header=f"{HEADER},status")
    (source / "events.csv").write_text("\n".join(line.partition(",")[2] for line in written.splitlines()))
    _, printed = project.run(source)
    assert "each row counts as a visitor of its own" in printed
    assert "rows with the status cancelled count as all others; where: {status: [done]} keeps the rest" in printed
    status, printed = project.run(source, "--set=events.where={status: [done]}")
    assert project.entry("events")["where"] == {"status": ["done"]}
    assert status == 0, printed
