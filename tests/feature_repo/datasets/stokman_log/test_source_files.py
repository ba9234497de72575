"""What the files may hold: each refusal names the file, the column and the row."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets import stokman
from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.stokman_log.source_files import ACTIONS_FILE, CATALOG_FILE, MAPPING_FILE
from feature_repo.datasets.stokman_log.vectors import VECTORS_FILE
from tests.feature_repo.datasets.stokman_source import VIEW, Source, action, adapt, at, product

GOOD = action(VIEW, at(), ["a"])
FINE = product("a")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"actions": [GOOD, action(10, at())]}, r"train_actions.pq, column 'action', row 2: .*'10'.* 0 view, 1 like"),
        ({"actions": [GOOD, action(-1, at())]}, r"column 'action', row 2: .*'-1'"),
        ({"actions": [{**GOOD, "action": None}]}, r"column 'action', row 1: the value is missing"),
        ({"actions": [{**GOOD, "date": None}]}, r"column 'date', row 1: the value is missing"),
        ({"actions": [GOOD, {**GOOD, "date": at(days=-20000)}]}, r"column 'date', row 2: .*from 1990 until 2100"),
        ({"actions": [action(VIEW, at(), user=None, cookie=None)]}, r"column 'user_id', row 1: .*loc_user_id"),
        ({"actions": [action(VIEW, at(), user="", cookie="")]}, r"column 'user_id', row 1: .*loc_user_id"),
        ({"actions": [action(VIEW, at(), user="cookie-1")]}, r"column 'user_id', row 1: .*'cookie-1'.*prefix"),
        ({"actions": [action(VIEW, at(), user="x" * 151)]}, r"column 'user_id', row 1: .*150 characters"),
        ({"actions": [action(VIEW, at(), cookie="x\0")]}, r"column 'loc_user_id', row 1: .*NUL"),
        ({"actions": [GOOD, action(VIEW, at(), ["a", None])]}, r"column 'products', row 2: .*'\[a, NULL\]'"),
        ({"actions": [GOOD, action(VIEW, at(), ["a", ""])]}, r"column 'products', row 2"),
        ({"actions": []}, r"train_actions.pq: the file holds no rows"),
        ({"catalog": [FINE, product("b"), FINE]}, r"catalog_preprocessed.pq, column 'product_id', row 3: .*'a' occurs"),
        ({"catalog": [FINE, product(None)]}, r"column 'product_id', row 2: the value is missing"),
        ({"catalog": [FINE, product("b", price=-1)]}, r"column 'price', row 2: .*'-1.0'.*at least 0"),
        ({"catalog": [product("a", old_price=float("inf"))]}, r"column 'old_price', row 1: .*'inf'"),
        ({"catalog": [FINE, product("b", add_date=None)]}, r"column 'add_date', row 2: the value is missing"),
        ({"mapping": [("a", 0), ("b", 3)]}, r"mapping.pq, column 'vector_id', row 2: .*'3'.*from 0 to 2"),
        ({"mapping": [("a", -1)]}, r"column 'vector_id', row 1: .*'-1'"),
        ({"mapping": [("a", 0), ("a", 1)]}, r"mapping.pq, column 'product_id', row 2: product 'a' occurs twice"),
        ({"mapping": [("a", 0.5)]}, r"column 'vector_id': the type is DOUBLE; it must be integers"),
    ],
)
def test_a_bad_value_is_refused_with_its_location_and_no_log_is_written(log_of, out, fields, message):
    with pytest.raises(BadSource, match=message):
        log_of(**{"actions": [GOOD], **fields})
    assert not out.exists()


@pytest.mark.parametrize("name", [ACTIONS_FILE, CATALOG_FILE, MAPPING_FILE, VECTORS_FILE])
def test_a_missing_file_is_named(tmp_path, out, settings, name):
    folder = Source(actions=[GOOD]).write(tmp_path / "source")
    (folder / name).unlink()
    with pytest.raises(BadSource, match=rf"{name}: the file is missing"):
        stokman.write_log(out, source=folder, size=None, settings=settings)


@pytest.mark.parametrize("name", [ACTIONS_FILE, CATALOG_FILE, MAPPING_FILE])
def test_a_file_that_is_not_parquet_is_refused(tmp_path, out, settings, name):
    folder = Source(actions=[GOOD]).write(tmp_path / "source")
    (folder / name).write_text("user_id,action\n1,0\n" * 9)
    with pytest.raises(BadSource, match=name):
        stokman.write_log(out, source=folder, size=None, settings=settings)


def with_column(folder, name, values, file=ACTIONS_FILE):
    table = pq.read_table(folder / file)
    index = table.column_names.index(name)
    pq.write_table(
        table.remove_column(index) if values is None else table.set_column(index, name, values), folder / file
    )


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("products", None, r"column 'products': the column is missing"),
        ("products", pa.array(["a"]), r"column 'products': the type is VARCHAR; it must be lists"),
        ("products", pa.array([[[1]]]), r"column 'products': the type is BIGINT\[\]\[\]; it must be lists"),
        ("user_id", pa.array([1.5]), r"column 'user_id', row 1: .*1.5"),
        ("user_id", pa.array([True]), r"column 'user_id': the type is BOOLEAN; it must be strings or integers"),
        ("action", pa.array(["view"]), r"column 'action': the type is VARCHAR; it must be integers"),
        ("date", pa.array([1_727_740_800]), r"column 'date': the type is BIGINT; it must be timestamps"),
    ],
)
def test_a_missing_column_and_a_wrong_type_are_named(tmp_path, out, settings, name, values, message):
    folder = Source(actions=[GOOD]).write(tmp_path / "source")
    with_column(folder, name, values)
    with pytest.raises(BadSource, match=message):
        stokman.write_log(out, source=folder, size=None, settings=settings)


def test_ids_may_be_integers_or_whole_floats_and_times_may_have_a_zone(tmp_path, out, settings):
    rows = [action(VIEW, at(m), ["a"]) for m in range(3)]
    folder = Source(actions=rows, catalog=[product("7")]).write(tmp_path / "source")
    with_column(folder, "user_id", pa.array([12.0, float("nan"), None]))
    with_column(folder, "loc_user_id", pa.array([1, 2, 3], pa.int32()))
    with_column(folder, "products", pa.array([[7], [8, 7], None], pa.list_(pa.int64())))
    with_column(folder, "date", pa.array([at(m) for m in (0, 1, 2)], pa.timestamp("ns", "Europe/Moscow")))
    query = adapt(folder, out, settings)
    assert query("SELECT user_id, item_id, event_ts FROM events ORDER BY event_ts, event_id") == [
        ("12", "7", at(0)),
        ("cookie-2", "8", at(1)),
        ("cookie-2", "7", at(1)),
        ("cookie-3", None, at(2)),
    ]


def test_an_unknown_category_shop_or_price_stays_unknown(log_of):
    catalog = [product("a", None, shop_id="", price=float("nan"), old_price=None), product("b", price=3.0)]
    query = log_of(catalog=catalog, actions=[GOOD])
    found = query("SELECT category_id, shop_id, price, old_price FROM items WHERE item_id = 'a'")
    assert found == [(None, None, None, None)]
