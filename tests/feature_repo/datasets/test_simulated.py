"""The simulated shop: its schema, its determinism, and that events and labels follow the stated utilities."""

from itertools import pairwise

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets import simulated
from feature_repo.datasets.declarations.built_in import SIMULATED
from feature_repo.datasets.declarations.declaration_json import read_declaration
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.simulation.shop import HOUR_US, START_US, open_shop, price_change_us, shop_size, week_of
from feature_repo.schema import log_tables
from infra.settings import Settings

SLATES = 1_500


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    settings = Settings(_env_file=None, data_dir=folder, state_dir=folder / "var")
    simulated.write_log(folder / "log", source=None, size=SLATES, settings=settings)
    return folder / "log"


def rows(log, query):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in ("items", "events", "impressions", "truth"):
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{log}/{name}.parquet'")
    return connection.execute(query).fetchall()


def test_the_tables_have_the_schema_of_the_contract(log):
    for table in log_tables(SIMULATED):
        found = pq.read_schema(log / f"{table.name}.parquet")
        assert [(f.name, f.type) for f in found] == [(f.name, f.type) for f in table.arrow]
    assert read_declaration(log) == SIMULATED


def test_size_is_the_number_of_slates_and_each_has_20_to_40_candidates(log):
    query = "SELECT count(*), min(n), max(n) FROM (SELECT count(*) AS n FROM impressions GROUP BY slate_id)"
    assert rows(log, query) == [(SLATES, 20, 40)]


def test_input_positions_have_no_gaps_and_equal_the_shown_positions(log):
    broken = """
        SELECT slate_id FROM impressions GROUP BY slate_id
        HAVING max(input_position) <> count(*) - 1 OR count(DISTINCT input_position) <> count(*)
            OR bool_or(input_position <> shown_position) OR count(DISTINCT (user_id, session_id, shown_ts)) > 1
    """
    assert rows(log, broken) == []


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path, settings):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulated.write_log(tmp_path / name, source=None, size=50, settings=settings, seed=seed)
    for file in ("items.parquet", "events.parquet", "impressions.parquet", "truth.parquet"):
        first, second, other = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert first == second != other


def test_the_items_and_users_of_a_small_shop_are_the_first_ones_of_a_larger_shop():
    small, large = open_shop(1, shop_size(4_000)), open_shop(1, shop_size(8_000))
    items, users = small.size.items, small.size.users
    assert large.size.items > items
    for name in ("quality", "sight", "category", "launch_us", "cents"):
        np.testing.assert_array_equal(getattr(small, name), getattr(large, name)[:items])
    np.testing.assert_array_equal(small.taste, large.taste[:users])


def test_no_two_events_of_a_session_have_the_same_time(log):
    assert rows(log, "SELECT session_id FROM events GROUP BY session_id, received_ts HAVING count(*) > 1") == []


def test_event_ids_follow_the_time_inside_a_session(log):
    ordered = rows(log, "SELECT session_id, event_id, received_ts FROM events ORDER BY event_id")
    assert all(a[2] < b[2] for a, b in pairwise(ordered) if a[0] == b[0])


def test_feedback_comes_after_its_slate_and_names_item_and_position(log):
    strays = """
        SELECT e.event_id FROM events e LEFT JOIN impressions i
            ON e.request_id = i.slate_id AND e.item_id = i.item_id AND e.shown_position = i.shown_position
            AND e.user_id = i.user_id AND e.session_id = i.session_id AND e.received_ts > i.shown_ts
        WHERE e.request_id IS NOT NULL AND i.slate_id IS NULL
    """
    assert rows(log, strays) == []


def test_clicks_are_the_views_after_the_slate_and_only_relevant_candidates_are_clicked(log):
    views = "SELECT request_id, item_id FROM events WHERE action = 'view' AND request_id IS NOT NULL"
    clicked = "SELECT slate_id, item_id FROM truth WHERE clicked"
    assert sorted(rows(log, views)) == sorted(rows(log, clicked))
    assert rows(log, "SELECT 1 FROM truth JOIN impressions USING (slate_id, item_id) WHERE clicked AND label = 0") == []


def test_relevant_candidates_are_clicked_as_often_as_their_position_is_examined(log):
    shares = rows(
        log,
        """
        SELECT shown_position, avg(clicked::INTEGER), any_value(examination), count(*)
        FROM truth JOIN impressions USING (slate_id, item_id) WHERE label > 0 AND shown_position < 12
        GROUP BY shown_position ORDER BY shown_position
        """,
    )
    for position, share, examination, n in shares:
        assert examination == 1 / (1 + position)
        assert abs(share - examination) <= 5 * np.sqrt(examination * (1 - examination) / n) + 1e-12


def test_labels_rise_with_utility_at_every_position(log):
    by_label = rows(
        log,
        """
        SELECT shown_position < 10 AS above, label, avg(utility) FROM truth JOIN impressions USING (slate_id, item_id)
        GROUP BY above, label ORDER BY above, label
        """,
    )
    assert len(by_label) == 8
    assert all(a[2] < b[2] for a, b in pairwise(by_label) if a[0] == b[0])


def test_no_user_sees_an_item_before_its_attributes_are_known(log):
    early = """
        SELECT 1 FROM (SELECT item_id, min(valid_from_ts) AS known FROM items GROUP BY item_id) JOIN (
            SELECT item_id, shown_ts AS seen FROM impressions UNION ALL SELECT item_id, event_ts FROM events
        ) USING (item_id) WHERE seen <= known
    """
    assert rows(log, early) == []


def test_an_event_has_the_price_and_category_of_its_time(log):
    wrong = """
        SELECT 1 FROM events e ASOF JOIN items i ON e.item_id = i.item_id AND e.event_ts >= i.valid_from_ts
        WHERE e.price <> i.price OR e.category_id <> i.category_id
    """
    assert rows(log, wrong) == []
    assert rows(log, "SELECT count(*) > 0 FROM items WHERE old_price > price") == [(True,)]


def test_cart_items_are_not_candidates(log):
    both = """
        SELECT 1 FROM events e JOIN impressions i ON e.session_id = i.session_id AND e.item_id = i.item_id
        WHERE e.action = 'add_to_cart' AND e.received_ts < i.shown_ts
    """
    assert rows(log, both) == []


def test_relevant_total_counts_the_positives_of_the_slate(log):
    wrong = (
        "SELECT 1 FROM impressions GROUP BY slate_id HAVING any_value(relevant_total) <> count(*) FILTER (label > 0)"
    )
    assert rows(log, wrong) == []


def test_there_is_history_before_the_first_slate(log):
    query = "SELECT count(*) > 100 FROM events WHERE received_ts < (SELECT min(shown_ts) FROM impressions)"
    assert rows(log, query) == [(True,)]


def test_prices_change_one_hour_before_the_first_midnight_of_the_week():
    weeks = np.arange(4)
    np.testing.assert_array_equal(week_of(price_change_us(weeks)), weeks)
    np.testing.assert_array_equal(week_of(price_change_us(weeks[1:]) - 1), weeks[:-1])
    assert price_change_us(weeks)[0] == START_US - HOUR_US


def test_a_shop_with_one_slate_works(out, settings):
    simulated.write_log(out, source=None, size=1, settings=settings)
    assert rows(out, "SELECT count(DISTINCT slate_id) FROM impressions") == [(1,)]


def test_a_source_is_refused(out, settings, tmp_path):
    with pytest.raises(DatasetError, match="reads no input"):
        simulated.write_log(out, source=tmp_path, size=1, settings=settings)
    assert not out.exists()
