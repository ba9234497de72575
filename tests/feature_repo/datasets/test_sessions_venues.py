"""sessions.csv and venues.csv written by hand: what the log holds, what is merged, what is refused."""

from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets import sessions_venues
from feature_repo.datasets.declarations.built_in import SESSIONS_VENUES
from feature_repo.datasets.declarations.declaration_json import read_declaration
from feature_repo.datasets.errors import BadSource
from feature_repo.schema import log_tables

A = "010befaf-c5aa-43ba-8561-a3e2ccab277b"
B = "7D0F3B6C-0F5E-4C6C-9C55-0E0A8F8E1B11"
HEADER = (
    ",purchased,session_id,position_in_list,venue_id,has_seen_venue_in_this_session,"
    "is_new_user,is_from_order_again,is_recommended"
)
VENUE_HEADER = "venue_id,conversions_per_impression,price_range,rating,popularity,retention_rate"
VENUES = (f"{VENUE_HEADER}", "11,0.25,2,8.8,3.5,0.3", "-12,,0,,0.5,", "13,0.1,4,10,60.25,0.9")
SESSIONS = (
    HEADER,
    f"0,False,{A},0,-12,,False,True,False",
    f"1,True,{A},1,11,True,False,False,true",
    f"2,False,{A},2,13,False,False,False,False",
)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def write(source, out, settings):
    """Returns a function that writes the lines as CSV files, makes the log and returns a query function on it."""

    def make(sessions=SESSIONS, venues=VENUES, size=None):
        (source / "sessions.csv").write_text("\n".join(sessions) + "\n")
        (source / "venues.csv").write_text("\n".join(venues) + "\n")
        sessions_venues.write_log(out, source=source, size=size, settings=settings)
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for table in log_tables(SESSIONS_VENUES):
            connection.execute(f"CREATE VIEW {table.name} AS SELECT * FROM '{out}/{table.name}.parquet'")
        return lambda query: connection.execute(query).fetchall()

    return make


def test_the_tables_have_the_schema_of_the_contract(write, out):
    write()
    for table in log_tables(SESSIONS_VENUES):
        found = pq.read_schema(out / f"{table.name}.parquet")
        assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in table.arrow]
    assert read_declaration(out) == SESSIONS_VENUES


def test_each_session_becomes_one_slate_of_one_user(write):
    query = write()
    found = query("SELECT * EXCLUDE (shown_ts) FROM impressions ORDER BY input_position")
    assert found == [
        (A, A, A, "-12", 0, 0, 0, 1, 0.0, 1.0, 0.0),
        (A, A, A, "11", 1, 1, 1, 1, 0.0, 0.0, 1.0),
        (A, A, A, "13", 2, 2, 0, 1, 0.0, 0.0, 0.0),
    ]
    assert query("SELECT DISTINCT shown_ts FROM impressions") == [(datetime(2024, 1, 2, 1, tzinfo=UTC),)]


def test_venues_become_items_with_nulls_where_the_csv_is_empty(write):
    query = write()
    assert query("SELECT item_id, COLUMNS('venue_.*') FROM items ORDER BY item_id") == [
        ("-12", None, 0.0, None, 0.5, None),
        ("11", 0.25, 2.0, pytest.approx(8.8), 3.5, pytest.approx(0.3)),
        ("13", pytest.approx(0.1), 4.0, 10.0, 60.25, pytest.approx(0.9)),
    ]
    assert query("SELECT DISTINCT valid_from_ts FROM items") == [(datetime(2024, 1, 1, tzinfo=UTC),)]


def test_a_purchase_becomes_an_order_30_seconds_after_the_slate(write):
    query = write()
    [(event, user, item, action, request, position, after)] = query(
        """
        SELECT event_id, e.user_id, e.item_id, action, request_id, e.shown_position, received_ts - shown_ts
        FROM events e JOIN impressions i ON e.request_id = i.slate_id AND e.item_id = i.item_id
        """
    )
    assert (event, user, item, action, request, position) == (f"{A}-11-order", A, "11", "order", A, 1)
    assert after == timedelta(seconds=30)


def test_sessions_are_one_minute_apart_and_not_in_the_order_of_their_ids(write):
    ids = [f"00000000-0000-4000-8000-{i:012d}" for i in range(20)]
    query = write((HEADER, *(f"{i},True,{s},0,11,,False,False,False" for i, s in enumerate(ids))))
    found = query("SELECT session_id, shown_ts FROM impressions ORDER BY shown_ts")
    assert [ts for _, ts in found] == [
        datetime(2024, 1, 2, 1, tzinfo=UTC) + timedelta(minutes=i) for i in range(len(ids))
    ]
    order = [session for session, _ in found]
    assert sorted(order) == ids != order


def test_a_smaller_size_gives_the_first_sessions_of_the_whole_log(write):
    ids = [f"00000000-0000-4000-8000-{i:012d}" for i in range(20)]
    lines = (HEADER, *(f"{i},True,{s},0,11,,False,False,False" for i, s in enumerate(ids)))
    whole = write(lines)("SELECT session_id, shown_ts FROM impressions ORDER BY shown_ts")
    assert write(lines, size=5)("SELECT session_id, shown_ts FROM impressions ORDER BY shown_ts") == whole[:5]


def test_a_session_id_in_two_spellings_is_one_session(write):
    query = write((HEADER, f"0,False,{B},0,11,,,,", f"1,False,{B.lower()},1,13,,,,"))
    assert query("SELECT DISTINCT session_id FROM impressions") == [(B.lower(),)]


def test_flags_may_be_spelled_in_several_ways_or_be_empty(write):
    query = write((HEADER, f'0,"True",{A},0,11,,TRUE,1,1.0', f"1,false,{A},1,13,,FALSE,0,0.0", f"2,0,{A},2,-12,,,,"))
    columns = "label, is_new_user, is_from_order_again, is_recommended"
    assert query(f"SELECT {columns} FROM impressions ORDER BY input_position") == [
        (1, 1.0, 1.0, 1.0),
        (0, 0.0, 0.0, 0.0),
        (0, None, None, None),
    ]


def test_the_column_that_leaks_the_label_has_no_effect(write, out):
    changed = [line.replace("11,True,", "11,False,") for line in SESSIONS]
    write()
    before = (out / "impressions.parquet").read_bytes()
    write(changed)
    assert changed != list(SESSIONS)
    assert (out / "impressions.parquet").read_bytes() == before
    assert "has_seen_venue_in_this_session" not in pq.read_schema(out / "impressions.parquet").names


def test_column_names_may_say_item_instead_of_venue(write, out):
    write()
    tables = ("items.parquet", "events.parquet", "impressions.parquet")
    before = [(out / name).read_bytes() for name in tables]
    write((HEADER.replace("venue", "item"), *SESSIONS[1:]), (VENUE_HEADER.replace("venue", "item"), *VENUES[1:]))
    assert [(out / name).read_bytes() for name in tables] == before


def test_repeated_rows_count_once(write, capsys):
    query = write((*SESSIONS, SESSIONS[2].replace("1,True", "3,True", 1), SESSIONS[2]))
    assert query("SELECT count(*), sum(label), max(relevant_total) FROM impressions") == [(3, 1, 1)]
    assert "2 of 5 rows repeat a venue of their session: merged" in capsys.readouterr().err


def test_a_venue_listed_twice_has_its_lowest_position_and_any_purchase(write):
    query = write(
        (
            HEADER,
            f"0,True,{A},7,11,,False,False,True",
            f"1,False,{A},3,11,,False,True,False",
            f"2,False,{A},5,13,,False,False,False",
        )
    )
    columns = "item_id, input_position, shown_position, label, is_from_order_again, is_recommended"
    assert query(f"SELECT {columns} FROM impressions ORDER BY input_position") == [
        ("11", 0, 3, 1, 1.0, 0.0),
        ("13", 1, 5, 0, 0.0, 0.0),
    ]


def test_positions_that_occur_twice_are_ranked_by_row(write):
    query = write(
        (
            HEADER,
            f"0,False,{A},0,13,,,,",
            f"1,False,{A},4,-12,,,,",
            f"2,False,{A},0,11,,,,",
        )
    )
    assert query("SELECT item_id, input_position, shown_position FROM impressions ORDER BY input_position") == [
        ("13", 0, 0),
        ("11", 1, 0),
        ("-12", 2, 4),
    ]


def test_a_venue_without_attributes_is_an_item_too(write, capsys):
    query = write((*SESSIONS, f"3,False,{A},3,99,,False,False,False"))
    assert query("SELECT venue_conversion, venue_rating FROM items WHERE item_id = '99'") == [(None, None)]
    assert query("SELECT count(*) FROM impressions ANTI JOIN items USING (item_id)") == [(0,)]
    assert "1 venues are not in venues.csv" in capsys.readouterr().err


def test_windows_line_ends_and_a_byte_order_mark_are_read(source, out, settings):
    for name, lines in (("sessions.csv", SESSIONS), ("venues.csv", VENUES)):
        (source / name).write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    sessions_venues.write_log(out, source=source, size=None, settings=settings)
    assert pq.read_metadata(out / "impressions.parquet").num_rows == 3


def line(**changed):
    columns = HEADER.split(",")
    values = dict(zip(columns, SESSIONS[2].split(","), strict=True)) | changed
    return ",".join(values[name] for name in columns)


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("purchased", "maybe", "True or False"),
        ("purchased", "", "the value is missing"),
        ("session_id", "010befaf", "a UUID"),
        ("session_id", "", "the value is missing"),
        ("position_in_list", "-1", "a whole number"),
        ("position_in_list", "1.5", "a whole number"),
        ("position_in_list", "200000", "a whole number"),
        ("position_in_list", "", "the value is missing"),
        ("venue_id", "12.5", "a signed 64-bit integer"),
        ("venue_id", "99999999999999999999", "a signed 64-bit integer"),
        ("is_new_user", "2", "True, False or empty"),
        ("is_from_order_again", "yes!", "True, False or empty"),
        ("is_recommended", "nan", "True, False or empty"),
    ],
)
def test_the_error_names_column_and_row_of_a_bad_value_in_sessions(write, out, column, value, wanted):
    with pytest.raises(BadSource) as refusal:
        write((*SESSIONS, line(**{column: value}), line(purchased="False", venue_id="13")))
    assert f"sessions.csv, column '{column}', row 4: " in str(refusal.value)
    assert wanted in str(refusal.value)
    assert not out.exists()


@pytest.mark.parametrize(
    ("bad", "location"),
    [
        ("x,0.1,1,8,1,0.2", "column 'venue_id', row 4"),
        ("14,1.5,1,8,1,0.2", "column 'conversions_per_impression', row 4"),
        ("14,nan,1,8,1,0.2", "column 'conversions_per_impression', row 4"),
        ("14,0.1,5,8,1,0.2", "column 'price_range', row 4"),
        ("14,0.1,1,11,1,0.2", "column 'rating', row 4"),
        ("14,0.1,1,8,-1,0.2", "column 'popularity', row 4"),
        ("14,0.1,1,8,inf,0.2", "column 'popularity', row 4"),
        ("14,0.1,1,8,1,often", "column 'retention_rate', row 4"),
        ("13,0.1,1,8,1,0.2", "column 'venue_id', row 4: venue 13 occurs twice"),
        ("14,0.1,1,8,1", "venues.csv, row 4: Expected Number of Columns: 6 Found: 5"),
        ("14,0.1,1,8,1,0.2,7", "venues.csv, row 4: Expected Number of Columns: 6 Found: 7"),
        ('14,0.1,1,8,1,"0.2', "venues.csv, row 4: Value with unterminated quote found"),
    ],
)
def test_the_error_names_file_column_and_row_of_a_bad_venue(write, out, bad, location):
    with pytest.raises(BadSource) as refusal:
        write(venues=(*VENUES, bad))
    assert location in str(refusal.value)
    assert not out.exists()
    assert not list(out.parent.glob(".*"))


@pytest.mark.parametrize(
    ("sessions", "venues", "message"),
    [
        ((HEADER.replace("purchased", "bought"), *SESSIONS[1:]), VENUES, "column 'purchased': the column is missing"),
        ((HEADER.replace("is_new_user", "purchased"), *SESSIONS[1:]), VENUES, "names the column 2 times"),
        (SESSIONS, ("venue_id,rating", "1,2"), "column 'conversions_per_impression': the column is missing"),
        ((HEADER,), VENUES, "sessions.csv: the file holds no rows"),
        (SESSIONS, (VENUE_HEADER,), "venues.csv: the file holds no rows"),
    ],
)
def test_a_bad_header_or_an_empty_file_is_refused(write, out, sessions, venues, message):
    with pytest.raises(BadSource) as refusal:
        write(sessions, venues)
    assert message in str(refusal.value)
    assert not out.exists()


def test_files_that_are_missing_empty_or_not_text_are_refused(write, source, out, settings):
    def refusal():
        with pytest.raises(BadSource) as refused:
            sessions_venues.write_log(out, source=source, size=None, settings=settings)
        return str(refused.value)

    assert "venues.csv: cannot be read: No such file" in refusal()
    (source / "venues.csv").write_bytes(b"")
    assert "the header is missing" in refusal()
    (source / "venues.csv").write_bytes(f"{VENUE_HEADER}\n11,0.1,1,8,1,\xff\n".encode("latin-1"))
    assert "venues.csv, row 1: " in refusal()
    (source / "venues.csv").write_bytes(b"\xff\xfe\x00")
    assert "venues.csv: cannot be read" in refusal()
    assert not out.exists()


def test_a_refused_source_does_not_change_the_earlier_log(write, out):
    write()
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(BadSource):
        write((*SESSIONS, line(purchased="maybe")))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
