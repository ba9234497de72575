"""A user's own log: what is filled in, what is cast, what is refused, and what the error names."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets import parquet, simulated
from feature_repo.datasets.declarations.built_in import SIMULATED
from feature_repo.datasets.declarations.declaration_json import read_declaration
from feature_repo.datasets.errors import BadSource, BadSources, DatasetError
from feature_repo.schema import Declaration, DType, log_tables

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
TABLES = {
    "items": {"item_id": ["a", "b"], "valid_from_ts": [NOON, NOON]},
    "events": {
        "event_id": ["e1", "e2"],
        "user_id": ["u", "u"],
        "session_id": ["s", "s"],
        "item_id": ["a", None],
        "event_ts": [NOON, NOON],
        "action": ["view", "search"],
    },
    "impressions": {
        "slate_id": ["r", "r", "q"],
        "user_id": ["u", "u", "v"],
        "session_id": ["s", "s", "t"],
        "item_id": ["a", "b", "a"],
        "shown_ts": [NOON, NOON, NOON],
        "input_position": [0, 1, 0],
        "label": [0, 2, 1],
    },
}


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def write(source, out, settings):
    """Returns a function that writes the tables with ``changed`` columns, makes the log and returns queries on it."""

    def make(changed=None, drop=(), declaration=None, size=None):
        for name, columns in TABLES.items():
            merged = {**columns, **(changed or {}).get(name, {})}
            table = pa.table({c: v for c, v in merged.items() if (name, c) not in drop})
            pq.write_table(table, source / f"{name}.parquet")
        if declaration is not None:
            (source / "dataset.json").write_text(
                declaration if isinstance(declaration, str) else json.dumps(declaration)
            )
        parquet.write_log(out, source=source, size=size, settings=settings)
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        for name in TABLES:
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{out}/{name}.parquet'")
        return lambda query: connection.execute(query).fetchall()

    return make


def test_a_log_of_required_columns_only_gets_all_columns_of_the_contract(write, out):
    query = write()
    declaration = read_declaration(out)
    assert declaration == Declaration(name="mine", title="mine, a log of the user's own")
    for table in log_tables(declaration):
        found = pq.read_schema(out / f"{table.name}.parquet")
        assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in table.arrow]
    assert query("SELECT price, brand, category_id FROM items") == [(None, None, None)] * 2


def test_a_missing_column_with_a_default_is_derived(write):
    query = write()
    assert query("SELECT event_id, received_ts FROM events") == [("e1", NOON), ("e2", NOON)]
    assert query("SELECT slate_id, item_id, relevant_total FROM impressions") == [
        ("q", "a", 1),
        ("r", "a", 1),
        ("r", "b", 1),
    ]


def test_castable_values_are_cast(write):
    query = write(
        {
            "items": {"item_id": [1, 2], "price": [1.239, 5.0], "valid_from_ts": ["2024-05-01T14:00:00+02:00"] * 2},
            "events": {"event_ts": [datetime(2024, 5, 1, 12), datetime(2024, 5, 1, 12)]},  # noqa: DTZ001
            "impressions": {"label": [0.0, 2.0, 1.0], "item_id": [1, 2, 1]},
        }
    )
    assert query("SELECT item_id, price, valid_from_ts FROM items") == [
        ("1", Decimal("1.24"), NOON),
        ("2", Decimal("5.00"), NOON),
    ]
    assert query("SELECT event_ts FROM events") == [(NOON,), (NOON,)]
    assert query("SELECT label FROM impressions WHERE slate_id = 'r'") == [(0,), (2,)]


DECLARED = {
    "title": "My shop",
    "timezone": "Europe/Paris",
    "item_extras": [{"name": "rating", "dtype": "float32", "description": "stars", "minimum": 0, "maximum": 5}],
    "facts": [{"name": "is_recommended", "dtype": "float32", "description": "promoted", "nullable": True}],
    "context": [{"name": "store_id", "dtype": "string", "description": "store", "nullable": True}],
}


def test_the_log_has_the_declared_columns(write, out):
    query = write(
        {"items": {"rating": [4, 5]}, "impressions": {"store_id": ["x", "x", None]}},
        declaration=DECLARED,
    )
    assert query("SELECT rating FROM items") == [(4.0,), (5.0,)]
    assert query("SELECT slate_id, store_id, is_recommended FROM impressions")[0] == ("q", None, None)
    declaration = read_declaration(out)
    assert (declaration.name, declaration.timezone) == ("mine", "Europe/Paris")
    assert declaration.item_extras[0].dtype is DType.FLOAT32


def test_a_canonical_log_is_read_unchanged(tmp_path, settings, out):
    simulated.write_log(tmp_path / "shop", source=None, size=30, settings=settings)
    parquet.write_log(out, source=tmp_path / "shop", size=None, settings=settings)
    for table in log_tables(SIMULATED):
        first, second = (pd.read_parquet(folder / f"{table.name}.parquet") for folder in (tmp_path / "shop", out))
        pd.testing.assert_frame_equal(first, second)


def test_a_size_selects_whole_slates_and_is_repeatable(tmp_path, settings, out):
    simulated.write_log(tmp_path / "shop", source=None, size=30, settings=settings)
    samples = []
    for _ in range(2):
        parquet.write_log(out, source=tmp_path / "shop", size=7, settings=settings)
        samples.append(pd.read_parquet(out / "impressions.parquet"))
    slates = samples[0].groupby("slate_id")
    assert len(slates) == 7
    assert (slates["input_position"].max() + 1 == slates.size()).all()
    pd.testing.assert_frame_equal(*samples)


@pytest.mark.parametrize(
    ("table", "column", "values", "row", "problem"),
    [
        ("items", "item_id", ["a", None], 2, "null is not allowed"),
        ("items", "item_id", ["", "b"], 1, "is not 1 to 200 characters, none of them NUL"),
        ("items", "price", [1.0, -2.0], 2, "is not at least 0"),
        ("items", "price", [float("nan"), 2.0], 1, "is not finite"),
        ("items", "price", [1.0, 100_001.0], 2, "is not at most 100000"),
        ("items", "price", ["1", "dear"], 2, "'dear' cannot be a money"),
        ("items", "valid_from_ts", [NOON.isoformat(), "soon"], 2, "'soon' cannot be a timestamp"),
        ("items", "valid_from_ts", [20240501, 20240502], 1, "cannot be a timestamp"),
        ("items", "valid_from_ts", ["infinity", NOON.isoformat()], 1, "is not finite"),
        ("items", "valid_from_ts", ["1970-01-20 17:22:35", NOON.isoformat()], 1, "probably milliseconds read as micro"),
        ("items", "rating", [4.0, float("inf")], 2, "is not finite"),
        ("items", "rating", [4.0, 6.0], 2, "is not at most 5"),
        ("events", "action", ["view", "purchase"], 2, "'purchase' is not one of impression, view, like"),
        ("events", "quantity", [1.5, 1.0], 1, "is not whole"),
        ("events", "quantity", [1, 0], 2, "is not at least 1"),
        ("events", "event_ts", [None, NOON], 1, "null is not allowed"),
        ("impressions", "label", [0, 5, 0], 2, "is not at most 4"),
        ("impressions", "label", [0, None, 0], 2, "null is not allowed"),
        ("impressions", "input_position", [0, 1, -1], 3, "is not at least 0"),
        ("impressions", "input_position", [3_000_000_000, 1, 0], 1, "cannot be a int32"),
        ("impressions", "input_position", [1, 1, 0], 2, "slate 'r': '1' occurs twice in its slate"),
        ("impressions", "user_id", ["u", "w", "v"], 2, "slate 'r': 'w' differs within its slate"),
        ("impressions", "session_id", ["s", "w", "t"], 2, "slate 'r': 'w' differs within its slate"),
        ("impressions", "shown_ts", [NOON, NOON.replace(hour=13), NOON], 2, "differs within its slate"),
        ("impressions", "store_id", ["x", "y", "x"], 2, "differs within its slate"),
        ("impressions", "relevant_total", [1, None, 1], 2, "null is not allowed"),
        ("impressions", "relevant_total", [1, 1, 0], 3, "is below the slate's positives"),
    ],
)
def test_the_error_names_file_column_and_row_of_a_bad_value(write, out, table, column, values, row, problem):
    with pytest.raises(BadSource) as refusal:
        write({"items": {"rating": [4.0, 5.0]}, table: {"rating": [4.0, 5.0]} | {column: values}} if table == "items"
              else {"items": {"rating": [4.0, 5.0]}, table: {column: values}}, declaration=DECLARED)  # fmt: skip
    message = str(refusal.value)
    assert f"{table}.parquet, column '{column}', row {row}: " in message
    assert problem in message
    assert not out.exists()
    assert not list(out.parent.glob(".*"))


@pytest.mark.parametrize(
    ("table", "changed", "location"),
    [
        ("items", {"item_id": ["a", "a"]}, "column 'item_id, valid_from_ts', row 2: the key a, 2024-05-01 12:00:00"),
        ("events", {"event_id": ["e1", "e1"]}, "column 'event_id', row 2: the key e1 occurs twice"),
        ("impressions", {"item_id": ["a", "a", "a"]}, "column 'slate_id, item_id', row 2: the key r, a occurs twice"),
    ],
)
def test_a_key_that_occurs_twice_is_refused(write, table, changed, location):
    with pytest.raises(BadSource) as refusal:
        write({table: changed})
    assert f"{table}.parquet, {location}" in str(refusal.value)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (table.name, column.name)
        for table in log_tables(Declaration("x", "x"))
        for column in table.columns
        if not column.nullable and column.name not in ("received_ts", "relevant_total")
    ],
)
def test_the_error_names_a_missing_required_column(write, out, table, column):
    with pytest.raises(BadSource, match=f"{table}.parquet, column '{column}': the column is missing"):
        write(drop={(table, column)})
    assert not out.exists()


def test_all_undeclared_columns_are_refused_at_once_with_what_to_write_into_dataset_json(write, out):
    changes = {
        "items": {"rating": [4.0, 5.0], "Colour": ["red", None]},
        "impressions": {"mood": [1, 2, 3]},
        "events": {"x": [1, 2]},
    }
    with pytest.raises(BadSources) as refusal:
        write(changes)
    said = str(refusal.value)
    assert said.startswith("3 problems:")
    assert "items.parquet, column 'rating, Colour': the column is not declared: declare it in dataset.json" in said
    assert '"name": "rating", "dtype": "float32"' in said
    assert '"name": "colour", "dtype": "string"' in said
    assert "impressions.parquet, column 'mood'" in said
    assert '{"facts": [{"name": "mood", "dtype": "float32", "description": "mood", "nullable": true}]}' in said
    assert "events.parquet, column 'x': the column is not declared: drop it" in said
    assert not out.exists()


def test_the_entry_of_a_message_declares_the_column(write):
    with pytest.raises(BadSource) as refusal:
        write({"items": {"rating": [4.0, 5.0], "colour": ["red", None]}})
    query = write(declaration=json.loads(str(refusal.value).partition("The entry:\n")[2]))
    assert query("SELECT item_id FROM items") == [("a",), ("b",)]


def test_all_values_that_are_not_allowed_are_named_at_once(write):
    with pytest.raises(BadSources) as refusal:
        write({"items": {"price": [1.0, -2.0]}, "events": {"quantity": [0, 1]}, "impressions": {"label": [0, 9, 0]}})
    assert [line.partition(".parquet, ")[2].partition(":")[0] for line in str(refusal.value).splitlines()[1:]] == [
        "column 'price', row 2", "column 'quantity', row 1", "column 'label', row 2",
    ]  # fmt: skip


def test_a_declared_bound_takes_large_prices_and_the_refusal_names_it(write):
    prices = {"items": {"price": [250_000.0, 8_289_000.0]}}
    with pytest.raises(BadSource, match=r"row 1: '250000\.0' is not at most 100000; \"max_price\" in dataset\.json"):
        write(prices)
    query = write(prices, declaration={"currency": "IDR", "max_price": 9_999_999_999.99})
    assert query("SELECT price FROM items ORDER BY item_id") == [(Decimal(250_000),), (Decimal(8_289_000),)]
    with pytest.raises(BadSource, match=r"is not at most 9999999999\.99"):
        write({"items": {"price": [1e10, 1.0]}}, declaration={"max_price": 9_999_999_999.99})


def test_prices_too_fine_for_cents_are_refused(write):
    with pytest.raises(
        BadSource, match=r"items\.parquet, column 'price', row 1: this amount and 1 more of 2 would be 0\.00"
    ):
        write({"items": {"price": [0.0001, 0.002]}})


def test_the_tables_may_be_csv_or_json_lines(write, source, out, settings):
    query = write({"items": {"price": [1.5, None]}})
    tables = {name: query(f"SELECT * FROM {name} ORDER BY ALL") for name in TABLES}
    for name, suffix in (("events", "csv"), ("impressions", "jsonl.gz")):
        (source / f"{name}.parquet").rename(source / "kept")
        frame = pd.read_parquet(source / "kept")
        frame.to_csv(source / "events.csv", index=False) if suffix == "csv" else frame.to_json(
            source / "impressions.jsonl.gz", orient="records", lines=True, date_format="iso"
        )
    parquet.write_log(out, source=source, size=None, settings=settings)
    again = {name: duckdb.sql(f"SELECT * FROM '{out}/{name}.parquet' ORDER BY ALL").fetchall() for name in TABLES}
    assert again == tables
    (source / "events.csv").write_text("event_id,mood\n1,2\n")
    with pytest.raises(BadSources) as refusal:
        parquet.write_log(out, source=source, size=None, settings=settings)
    assert "events.csv, column 'user_id': the column is missing: user" in str(refusal.value)
    assert "events.csv, column 'mood': the column is not declared: drop it" in str(refusal.value)


def test_files_of_other_kinds_are_pointed_to_init(write, source, out, settings):
    write()
    (source / "events.parquet").rename(source / "events.xlsx")
    with pytest.raises(
        BadSource, match=r"the file is missing; python -m feature_repo\.init .* what events\.xlsx holds"
    ):
        parquet.write_log(out, source=source, size=None, settings=settings)


def test_ids_that_are_floats_or_lists_are_refused(write):
    with pytest.raises(BadSource, match=r"column 'item_id': the type is DOUBLE; it must be strings or integers"):
        write({"items": {"item_id": [1.0, 2.0]}})
    with pytest.raises(BadSource, match=r"column 'price': the type is DOUBLE\[\]; it must be money"):
        write({"items": {"price": [[1.0], [2.0]]}})


@pytest.mark.parametrize(
    ("declaration", "problem"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object"),
        ({"colour": "red"}, "'colour' is not one of name, title"),
        ({"max_price": 1e10}, "max_price is a number up to 9,999,999,999.99, not 10000000000.0"),
        ({"max_price": "many"}, "max_price is a number"),
        ({"currency": 7}, "currency is a text"),
        ({"timezone": "Mars/Olympus"}, "timezone 'Mars/Olympus' is not known"),
        ({"facts": [{"name": "x"}]}, "is not a data set declaration"),
        ({"facts": 5}, "is not a data set declaration"),
        ({"facts": [{"name": "x", "dtype": "number", "description": ""}]}, "'number' is not a valid DType"),
        (
            {"facts": [{"name": "x", "dtype": "string", "description": ""}]},
            "column 'x': facts: the dtype must be float32",
        ),
        (
            {"item_extras": [{"name": "in_stock", "dtype": "string", "description": ""}]},
            "column 'in_stock': item_extras: the dtype must be float32",
        ),
        (
            {"item_extras": [{"name": "changed", "dtype": "string", "description": ""}]},
            "column 'changed': the name is already in use",
        ),
        ({"facts": [{"name": "X y", "dtype": "float32", "description": ""}]}, "'X y' must be lower-case"),
        (
            {"facts": [{"name": "label", "dtype": "float32", "description": ""}]},
            "column 'label': the name is already in use",
        ),
        (
            {"facts": [{"name": "hour", "dtype": "float32", "description": ""}]},
            "column 'hour': the name is already in use",
        ),
        (
            {"item_extras": [{"name": "price", "dtype": "float32", "description": ""}]},
            "'price': the name is already in use",
        ),
        (
            {"facts": [{"name": "x", "dtype": "float32", "description": "", "minimum": "low"}]},
            "minimum and maximum are numbers",
        ),
        (
            {"context": [{"name": "x", "dtype": "string", "description": "", "allowed": [1]}]},
            "allowed is a list of strings",
        ),
    ],
)
def test_a_bad_declaration_is_refused(write, out, declaration, problem):
    with pytest.raises(BadSource) as refusal:
        write(declaration=declaration)
    assert "dataset.json" in str(refusal.value)
    assert problem in str(refusal.value)
    assert not out.exists()


def test_a_file_that_is_not_parquet_is_refused(write, source, out, settings):
    write()
    (source / "events.parquet").write_text("event_id,user_id")
    with pytest.raises(BadSource, match=r"events\.parquet: "):
        parquet.write_log(out, source=source, size=None, settings=settings)


def test_the_name_of_a_built_in_data_set_is_refused_for_another_log(source, out, settings, write):
    write()
    for name in ("complete_journey", "simulated"):
        taken = settings.model_copy(update={"dataset": name})
        with pytest.raises(DatasetError, match="set RERANK_DATASET to a name for your log"):
            parquet.write_log(out, source=source, size=None, settings=taken)


def test_the_source_is_not_replaced_by_its_log(source, settings, write):
    write()
    with pytest.raises(DatasetError, match="both --input and --out"):
        parquet.write_log(source, source=source, size=None, settings=settings)
