"""RetailRocket's files written by hand: sessions, what was known at which time, and what is refused."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets import retailrocket
from feature_repo.datasets.declarations.built_in import RETAILROCKET
from feature_repo.datasets.declarations.declaration_json import read_declaration
from feature_repo.datasets.errors import BadSource, DatasetError
from feature_repo.schema import log_tables

T = 1_433_000_000_000  # ms
MINUTE = 60_000
EVENT_HEADER = "timestamp,visitorid,event,itemid,transactionid"
PROPERTY_HEADER = "timestamp,itemid,property,value"
EVENTS = (
    f"{T + 31 * MINUTE},1,addtocart,10,",
    f"{T},1,view,10,",
    f"{T + 30 * MINUTE},1,view,20,",
    f"{T + 62 * MINUTE},1,transaction,10,7",
    f"{T + MINUTE},2,view,20,",
)
PART1 = (f"{T - 5},10,categoryid,3", f"{T - 5},10,790,n1250.000", f"{T - 5},10,888,some words", f"{T},10,available,0")
PART2 = (
    f"{T + 31 * MINUTE},10,790,n1000.500",
    f"{T + 30 * MINUTE},10,790,n1250.000",
    f"{T + 31 * MINUTE},10,categoryid,2",
)
TREE = ("1,", "2,1", "3,2", "9,")


@pytest.fixture
def write(tmp_path, out, settings):
    """Returns a function that writes the lines as the four files, makes the log and returns a query function on it."""
    source = tmp_path / "source"
    source.mkdir()

    def make(events=EVENTS, part1=PART1, part2=PART2, tree=TREE, size=None, event_header=EVENT_HEADER):
        (source / "events.csv").write_text("\n".join([event_header, *events]) + "\n")
        (source / "item_properties_part1.csv").write_text("\n".join([PROPERTY_HEADER, *part1]) + "\n")
        (source / "item_properties_part2.csv").write_text("\n".join([PROPERTY_HEADER, *part2]) + "\n")
        (source / "category_tree.csv").write_text("\n".join(["categoryid,parentid", *tree]) + "\n")
        retailrocket.write_log(out, source=source, size=size, settings=settings)
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for table in log_tables(RETAILROCKET):
            connection.execute(f"CREATE VIEW {table.name} AS SELECT * FROM '{out}/{table.name}.parquet'")
        return lambda query: connection.execute(query).fetchall()

    return make


def timestamp(ms):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def test_the_tables_have_the_schema_of_the_contract(write, out):
    write()
    for table in log_tables(RETAILROCKET):
        found = pq.read_schema(out / f"{table.name}.parquet")
        assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in table.arrow]
    assert read_declaration(out) == RETAILROCKET


def test_a_session_ends_after_more_than_30_minutes_without_an_event(write):
    query = write()
    assert query("SELECT session_id, action, item_id FROM events ORDER BY user_id, event_ts") == [
        (f"1-{T}", "view", "10"),
        (f"1-{T}", "view", "20"),
        (f"1-{T}", "add_to_cart", "10"),
        (f"1-{T + 62 * MINUTE}", "order", "10"),
        (f"2-{T + MINUTE}", "view", "20"),
    ]


def test_later_events_change_no_session_and_no_event_id(write):
    whole = write()("SELECT event_id, session_id, event_ts FROM events ORDER BY event_ts, event_id")
    early = write(EVENTS[1:3])("SELECT event_id, session_id, event_ts FROM events ORDER BY event_ts, event_id")
    assert set(early) <= set(whole)
    assert len(early) == 2


def test_an_event_has_the_values_known_strictly_before_it(write):
    query = write()
    found = query("SELECT price, category_id, value, quantity FROM events WHERE item_id = '10' ORDER BY event_ts")
    assert found == [
        (Decimal("12.50"), "3", None, None),
        (Decimal("12.50"), "3", None, None),  # exactly at the time of the change
        (Decimal("10.01"), "2", Decimal("10.01"), 1),
    ]
    assert query("SELECT DISTINCT price, category_id FROM events WHERE item_id = '20'") == [(None, None)]


def test_an_item_has_one_row_per_change_of_a_known_property(write):
    query = write()
    found = query(
        "SELECT item_id, valid_from_ts, category_id, price, is_available, root_category_id FROM items "
        "ORDER BY item_id, valid_from_ts"
    )
    assert found == [
        ("10", timestamp(T - 5), "3", Decimal("12.50"), None, "1"),
        ("10", timestamp(T), "3", Decimal("12.50"), 0.0, "1"),  # the equal price at T + 30 minutes is not a change
        ("10", timestamp(T + 31 * MINUTE), "2", Decimal("10.01"), 0.0, "1"),
        ("20", timestamp(T + MINUTE), None, None, None, None),
    ]


def test_a_price_out_of_range_is_unknown_and_does_not_leave_the_earlier_price(write):
    query = write(part2=(f"{T + 1},10,790,n99000000.000", f"{T + 2},10,790,n-5.000", f"{T + 3},10,790,n0.000"))
    assert query("SELECT price FROM items WHERE item_id = '10' ORDER BY valid_from_ts") == [
        (Decimal("12.50"),),
        (Decimal("12.50"),),
        (None,),
        (Decimal("0.00"),),
    ]


def test_changes_after_the_last_event_are_left_out(write):
    query = write(part2=(f"{T + 63 * MINUTE},10,categoryid,9", f"{T + 63 * MINUTE},77,categoryid,9"))
    assert query("SELECT count(*) FROM items WHERE category_id = '9'") == [(0,)]


def test_a_repeated_row_counts_once(write):
    assert write((*EVENTS, EVENTS[0], EVENTS[0]))("SELECT count(*) FROM events") == [(5,)]


def test_there_are_no_impressions(write):
    assert write()("SELECT count(*) FROM impressions") == [(0,)]


def test_a_smaller_size_holds_whole_visitors(write):
    whole = write()("SELECT user_id, event_id FROM events")
    part = write(size=1)("SELECT user_id, event_id FROM events")
    users = {user for user, _ in part}
    assert len(users) == 1
    assert sorted(part) == sorted(row for row in whole if row[0] in users)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"events": (f"{T},1,view,10,", f"{T},1,buy,10,")},
            r"events.csv, column 'event', row 2: .*'buy'.* view, addto",
        ),
        ({"events": (f"{T},x,view,10,",)}, r"column 'visitorid', row 1: .*'x'"),
        ({"events": (f"{T}000,1,view,10,",)}, r"column 'timestamp', row 1: .*milliseconds"),
        ({"events": ()}, r"events.csv: the file holds no rows"),
        (
            {"event_header": "timestamp,visitor,event,itemid,transactionid"},
            r"column 'visitorid': the column is missing",
        ),
        ({"part1": (f"{T},10,888,x", f"{T},10,790,12")}, r"part1.csv, column 'value', row 2: .*'12' of property 790"),
        ({"part2": (f"{T},10,available,yes",)}, r"part2.csv, column 'value', row 1: .*'yes' of property available"),
        ({"tree": ("1,", "1,2")}, r"category_tree.csv, column 'categoryid', row 2: category 1 occurs twice"),
        (
            {"tree": ("1,2", "2,1", "3,")},
            r"category_tree.csv, column 'parentid', row 1: category 1 is its own ancestor",
        ),
    ],
)
def test_the_error_names_the_location_in_a_bad_file_and_no_log_is_written(write, out, files, message):
    with pytest.raises(BadSource, match=message):
        write(**files)
    assert not out.exists()


def test_rows_of_unknown_properties_are_not_checked(write):
    assert write(part1=(*PART1, "not a time,x,888,?"))("SELECT count(*) FROM events") == [(5,)]


def test_without_a_source_the_error_names_the_command_that_makes_a_sample(out, settings):
    with pytest.raises(DatasetError, match=r"samples\.retailrocket makes one"):
        retailrocket.write_log(out, source=None, size=None, settings=settings)


def test_the_sample_has_the_requested_size_and_the_adapter_reads_it(tmp_path, out, settings):
    source = tmp_path / "sample"
    command = [sys.executable, "-m", "feature_repo.datasets.samples.retailrocket", "--out", str(source)]
    subprocess.run([*command, "--events", "3000", "--items", "200"], check=True, capture_output=True)
    retailrocket.write_log(out, source=source, size=None, settings=settings)
    connection = duckdb.connect()
    [(events, items, orders)] = connection.execute(
        f"SELECT count(*), count(DISTINCT item_id), count(*) FILTER (action = 'order') FROM '{out}/events.parquet'"
    ).fetchall()
    assert events > 2990  # some rows repeat others
    assert 100 < items <= 200
    assert 0 < orders < 100
    [(followed, popular)] = connection.execute(
        f"""
        WITH steps AS (
            SELECT item_id, lead(item_id) OVER (PARTITION BY session_id ORDER BY event_ts) AS following
            FROM '{out}/events.parquet' WHERE action = 'view'
        ), counted AS (SELECT item_id, following, count(*) AS n FROM steps WHERE following IS NOT NULL GROUP BY ALL)
        SELECT (SELECT sum(n) FROM (SELECT max(n) AS n FROM counted GROUP BY item_id)) / sum(n),
            (SELECT max(n) FROM (SELECT sum(n) AS n FROM counted GROUP BY following)) / sum(n)
        FROM counted
        """
    ).fetchall()
    assert followed > 3 * popular  # an item's most frequent successor predicts better than the most popular item
