"""The plugin and Feast's own DuckDB store give the same table, except where Feast's store is wrong.

Feast 0.67's DuckDB store has these faults. A test below shows each of them but the first.
- It promises no order of rows: many rows come shuffled, a few in order. So the property compares rows by a number.
- If a join key map names only some of a view's keys, it joins by these keys only, without a warning.
- For a feature named ``event_expire_timestamp`` it returns its own expiry time, and it drops a frame's column
  ``entity_row_id``, both without a warning. It fails on features named ``rn``, ``entity_row_id`` or ``..._y``.
- With ``filter_by_created_timestamp`` it never finds a row whose created time is null.
- It reads naive entity timestamps in the machine's time zone, not in UTC. (``FeatureStore`` corrects that for pandas
  frames, unless ``coerce_tz_aware`` is off.)
- It returns timestamps of a fixed offset with an unreadable zone name, and it truncates ns to us.
- It accepts only pandas frames, neither Arrow nor SQL.
- It cannot select the newest rows of a source in ns (``materialize``).
In all other generated cases its values are right: ties, nulls, expiry, duplicates, zones, files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import ibis
import pyarrow as pa
import pytest
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore
from hypothesis import given

from feature_repo.offline.store import AsofOfflineStore
from tests.feature_repo.offline.cases import Case, Frame, Use, View
from tests.feature_repo.offline.oracle import CREATED, EVENT
from tests.feature_repo.offline.retrieval import config, oracle_rows, retrieved, rows, sources, types
from tests.feature_repo.offline.strategies import cases

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
T, HOUR = datetime(2024, 5, 1, tzinfo=UTC), timedelta(hours=1)
NUMBER = "number"


def where_feast_is_right(case: Case) -> Case:
    """The same case with numbered rows, and without the faults in the module's docstring."""
    frame = replace(
        case.frame,
        rows=[{**row, NUMBER: i} for i, row in enumerate(case.frame.rows)],
        kinds={**case.frame.kinds, NUMBER: "int64"},
        form="pandas",
        unit="us",
        zone="UTC" if case.frame.zone in (None, "+05:45") else case.frame.zone,
    )
    uses = [
        replace(
            use,
            view=with_created_times(use.view) if case.known_when_scored else use.view,
            key_map={key: use.key_map.get(key, key) for key in use.view.keys} if use.key_map else {},
        )
        for use in case.uses
    ]
    return replace(case, uses=tuple(uses), frame=frame, known_at=None)


def with_created_times(view: View) -> View:
    return replace(view, rows=[row for row in view.rows if row[CREATED] is not None], storage=type(view.storage)())


@given(cases())
def test_feast_gives_the_same_rows_as_the_plugin_where_feast_is_right(case: Case) -> None:
    case = where_feast_is_right(case)
    with sources(case) as views:
        feast, ours = (retrieved(case, views, store) for store in (DuckDBOfflineStore, AsofOfflineStore))
    assert feast.column_names == ours.column_names
    assert rows(feast.sort_by(NUMBER)) == rows(ours)
    timestamp = case.frame.timestamp  # Feast does not convert it to UTC
    assert types(feast.drop([timestamp])) == types(ours.drop([timestamp]))


def view(kind: str = "int32", *, feature: str = "price", keys: tuple[str, ...] = ("shop",)) -> View:
    """One row of shop a and aisle 1 with the feature value 1, valid for one hour."""
    row = {"shop": "a", "aisle": 1, EVENT: T, CREATED: T, feature: 1}
    return View("v", keys, {feature: kind}, [row], ttl=HOUR)


def case_of(view: View, frame: Frame | None = None, **fields: object) -> Case:
    frame = frame or Frame([{"shop": "a"}], [T], {"shop": "string"})
    return replace(Case((Use(view, tuple(view.kinds)),), frame), **fields)


def both(case: Case) -> tuple[pa.Table, pa.Table]:
    with sources(case) as views:
        return retrieved(case, views, DuckDBOfflineStore), retrieved(case, views)


def test_feast_ignores_the_keys_that_a_join_key_map_does_not_name() -> None:
    two = view(keys=("shop", "aisle"))
    two = replace(two, rows=[*two.rows, {**two.rows[0], "aisle": 2, EVENT: T + HOUR / 2, "price": 2}])
    frame = Frame([{"other_shop": "a", "aisle": 1}], [T + HOUR], {"other_shop": "string", "aisle": "int64"})
    feast, ours = both(Case((Use(two, ("price",), "other", {"shop": "other_shop"}),), frame))
    assert ours["price"].to_pylist() == [1]
    assert feast["price"].to_pylist() == [2]


def test_feast_returns_the_expiry_time_for_a_feature_of_that_name() -> None:
    feast, ours = both(case_of(view(feature="event_expire_timestamp")))
    assert ours["event_expire_timestamp"].to_pylist() == [1]
    assert feast["event_expire_timestamp"].to_pylist() == [T + HOUR]


def test_feast_drops_a_column_of_the_frame_whose_name_it_uses_itself() -> None:
    kinds = {"shop": "string", "entity_row_id": "string"}
    feast, ours = both(case_of(view(), Frame([{"shop": "a", "entity_row_id": "mine"}], [T], kinds)))
    assert ours["entity_row_id"].to_pylist() == ["mine"]
    assert "entity_row_id" not in feast.column_names


@pytest.mark.parametrize("name", ["price_y", "rn", "entity_row_id"])
def test_feast_cannot_return_a_feature_named_like_its_own_columns(name: str) -> None:
    case = case_of(view(feature=name))
    with sources(case) as views:
        assert retrieved(case, views)[name].to_pylist() == [1]
        with pytest.raises(Exception, match=name):
            retrieved(case, views, DuckDBOfflineStore)


def test_feast_never_finds_a_row_without_created_time_when_it_filters_by_created_time() -> None:
    unknown = view()
    unknown = replace(unknown, rows=[{**unknown.rows[0], CREATED: None}])
    feast, ours = both(case_of(unknown, known_when_scored=True))
    assert ours["price"].to_pylist() == [1]
    assert feast["price"].to_pylist() == [None]


@pytest.fixture
def machine_in_new_york() -> Iterator[None]:
    """Feast's engine uses the time zone of the machine."""
    before = ibis.get_backend()
    backend = ibis.duckdb.connect()
    backend.con.execute("SET TimeZone = 'America/New_York'")
    ibis.set_backend(backend)
    yield
    ibis.set_backend(before)


@pytest.mark.usefixtures("machine_in_new_york")
def test_feast_reads_naive_entity_timestamps_in_the_machines_zone() -> None:
    feast, ours = both(case_of(view(), Frame([{"shop": "a"}], [T], {"shop": "string"}, zone=None)))
    assert ours["price"].to_pylist() == [1]
    assert feast["price"].to_pylist() == [None]  # four hours later it has expired


def test_feast_returns_an_unreadable_fixed_offset_and_truncates_nanoseconds() -> None:
    frame = Frame([{"shop": "a"}], [T], {"shop": "string"}, zone="+05:45", unit="ns")
    feast, ours = both(case_of(view(), frame))
    assert ours["event_timestamp"].to_pylist() == [T]
    assert ours["event_timestamp"].type == pa.timestamp("ns", "UTC")
    assert feast["event_timestamp"].type.unit == "us"
    with pytest.raises(Exception, match="FixedOffset"):
        feast["event_timestamp"].to_pylist()


@pytest.mark.parametrize("form", ["arrow", "sql"])
def test_feast_accepts_pandas_frames_only(form: str) -> None:
    case = case_of(view(), Frame([{"shop": "a"}], [T], {"shop": "string"}, form=form))
    with sources(case) as views:
        assert rows(retrieved(case, views)) == oracle_rows(case)
        with pytest.raises((AttributeError, TypeError)):
            retrieved(case, views, DuckDBOfflineStore)


def test_feast_cannot_select_the_newest_rows_of_a_source_in_nanoseconds() -> None:
    in_ns = view()
    in_ns = replace(in_ns, storage=replace(in_ns.storage, timestamp="ns"))
    case = case_of(in_ns)

    def newest(store: type[DuckDBOfflineStore]) -> pa.Table:
        source = views["v"].batch_source
        job = store.pull_latest_from_table_or_query(
            config(case, store), source, ["shop"], ["price"], EVENT, CREATED, T - HOUR, T
        )
        return job.to_arrow()

    with sources(case) as views:
        assert newest(AsofOfflineStore)["price"].to_pylist() == [1]
        with pytest.raises(Exception, match="TIMESTAMPTZ_NS"):
            newest(DuckDBOfflineStore)
