"""The sample: its size, its seed, what it plants and what it says about it."""

import re

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets.samples.stokman.sample import main, write_sample
from feature_repo.datasets.stokman_log.source_files import ACTIONS

FILES = ("train_actions.pq", "stokman_catalog_preprocessed.pq", "catalog_vector_mapping.pq", "vectors.npz")
USERS, ROWS, DAYS = 3_000, 60_000, 60


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """(query function on the actions, what was said, folder)."""
    folder = tmp_path_factory.mktemp("sample")
    said = "\n".join(write_sample(folder, USERS, ROWS, seed=4, items=2_000, days=DAYS))
    connection = duckdb.connect()
    connection.execute(
        f"""
        CREATE TABLE actions AS SELECT *, file_row_number AS row
        FROM read_parquet('{folder}/train_actions.pq', file_row_number = true);
        CREATE TABLE lines AS SELECT coalesce(user_id::VARCHAR, 'c' || loc_user_id) AS who, date, item
        FROM (SELECT *, unnest(products) AS item FROM actions WHERE action = 5);
        SET VARIABLE window_start = (SELECT date_trunc('day', max(date)) - INTERVAL 2 DAY FROM actions);
        """
    )
    return lambda query: connection.execute(query).fetchall(), said, folder


def number(pattern, text):
    return float(re.search(pattern, text)[1].replace(",", ""))


def test_the_files_have_the_columns_of_the_task(sample):
    folder = sample[2]
    schema = pq.read_schema(folder / "train_actions.pq")
    assert schema.names == ["user_id", "loc_user_id", "action", "date", "products", "pageId"]
    assert pa.types.is_list(schema.field("products").type)
    catalog = pq.read_schema(folder / "stokman_catalog_preprocessed.pq").names
    assert catalog == ["add_date", "shop_id", "product_id", "category_id", "price", "title", "old_price"]
    assert pq.read_schema(folder / "catalog_vector_mapping.pq").names == ["product_id", "vector_id"]


def test_the_size_is_about_what_was_asked_for_and_every_action_occurs_as_often_as_is_said(sample):
    query, said, _ = sample
    counts = dict(query("SELECT action, count(*) FROM actions GROUP BY 1"))
    assert sorted(counts) == list(range(10))
    assert sum(counts.values()) == pytest.approx(ROWS, rel=0.1)
    assert {name: number(rf"\b{name} ([\d,]+)", said) for name in ACTIONS} == {
        name: counts[code] for code, name in enumerate(ACTIONS)
    }


def test_activity_and_popularity_have_heavy_tails(sample):
    query, _, _ = sample

    def share_of_top_tenth(counts):
        [(share,)] = query(
            f"""
            SELECT sum(n) FILTER (place <= 0.1 * total) / sum(n)
            FROM (SELECT n, row_number() OVER (ORDER BY n DESC) AS place, count(*) OVER () AS total FROM ({counts}))
            """
        )
        return share

    assert share_of_top_tenth("SELECT count(*) AS n FROM actions GROUP BY loc_user_id") > 0.35
    views = "SELECT unnest(products) AS item FROM actions WHERE action = 0"
    assert share_of_top_tenth(f"SELECT count(*) AS n FROM ({views}) GROUP BY item") > 0.4


def test_people_have_several_cookies_some_cookies_several_people_and_some_actions_no_user(sample):
    query, _, _ = sample
    known = "FROM actions WHERE user_id IS NOT NULL"
    several = query(f"SELECT count(*) FROM (SELECT user_id {known} GROUP BY 1 HAVING count(DISTINCT loc_user_id) > 1)")
    shared = query(f"SELECT count(*) FROM (SELECT loc_user_id {known} GROUP BY 1 HAVING count(DISTINCT user_id) > 1)")
    [(anonymous,)] = query("SELECT avg((user_id IS NULL)::INTEGER) FROM actions")
    assert several[0][0] > 200
    assert 0 < shared[0][0] < 100
    assert 0.25 < anonymous < 0.5


def test_what_is_ordered_was_added_to_the_cart_before(sample):
    query, _, _ = sample
    [(orders, unadded)] = query(
        """
        SELECT count(*), count(*) FILTER (NOT EXISTS (
            SELECT 1 FROM actions a WHERE a.loc_user_id = o.loc_user_id AND a.action = 2 AND a.products[1] = o.item
                AND a.date <= o.date AND a.row < o.row))
        FROM (SELECT *, unnest(products) AS item FROM actions WHERE action = 5) o
        """
    )
    assert orders > 1_000
    assert unadded == 0


def test_the_buyers_of_the_last_days_are_those_that_are_said(sample):
    query, said, _ = sample
    people = query(
        "SELECT count(DISTINCT loc_user_id) FROM actions WHERE action = 5 AND date >= getvariable('window_start')"
    )
    assert people[0][0] == pytest.approx(number(r"([\d,]+) people buy in the last 3 days", said), rel=0.1)


def test_purchases_and_buyers_can_be_predicted(sample):
    query, said, _ = sample
    before, others = (number(pattern, said) for pattern in (r"; ([\d.]+)% of them came", r"other people ([\d.]+)%"))
    assert before > 2 * others
    assert 0.4 < number(r"began before them: ([\d.]+)", said) < 0.95
    [(repeated, viewed)] = query(
        """
        SELECT avg((EXISTS (FROM lines e WHERE e.who = l.who AND e.item = l.item AND e.date < l.date))::INTEGER),
            avg((EXISTS (FROM actions a WHERE coalesce(a.user_id::VARCHAR, 'c' || a.loc_user_id) = l.who
                AND action = 0 AND products[1] = l.item AND a.date < l.date))::INTEGER)
        FROM lines l
        """
    )
    assert repeated > 0.15
    assert viewed > 0.5


def test_an_item_is_touched_only_after_it_was_added_to_the_catalog(sample):
    query, _, folder = sample
    catalog = folder / FILES[1]
    early = query(
        f"""
        SELECT count(*) FROM (SELECT date, unnest(products) AS product_id FROM actions WHERE action = 0)
            JOIN read_parquet('{catalog}') USING (product_id) WHERE date < add_date
        """
    )
    late = query(f"SELECT count(*) FROM read_parquet('{catalog}') WHERE add_date > '2024-10-10'")
    assert early == [(0,)]
    assert late[0][0] > 10


def test_titles_of_one_category_have_near_vectors(sample):
    folder = sample[2]
    catalog = pq.read_table(folder / "stokman_catalog_preprocessed.pq", columns=["category_id"]).to_pandas()
    with np.load(folder / "vectors.npz", allow_pickle=False) as arrays:
        vectors = arrays["vectors"]
    assert vectors.shape == (2_000, 32)
    same = catalog["category_id"].to_numpy()[:, None] == catalog["category_id"].to_numpy()[None, :]
    np.fill_diagonal(same, False)
    nearness = vectors @ vectors.T
    assert nearness[same].mean() > nearness[~same].mean() + 0.2


def test_the_same_seed_gives_the_same_files(tmp_path):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        size = ["--users", "50", "--rows", "1000", "--items", "100", "--days", "10"]
        assert main(["--out", str(tmp_path / name), "--seed", seed, *size]) == 0
    for file in FILES[:2]:
        first, second, other = (pq.read_table(tmp_path / name / file) for name in "abc")
        assert first.equals(second)
        assert not first.equals(other)
    first, second = (np.load(tmp_path / name / "vectors.npz")["vectors"] for name in "ab")
    assert np.array_equal(first, second)


def test_a_given_catalog_is_taken_as_it_is(tmp_path):
    """Its actions begin after its products were added, and its vectors stand where its mapping says."""
    own = tmp_path / "own"
    own.mkdir()
    catalog = {
        "add_date": pa.array([1_700_000_000_000_000, 1_700_100_000_000_000], pa.timestamp("us")),
        "shop_id": ["1", "1"],
        "product_id": ["x", "y"],
        "category_id": ["5", None],
        "price": [10, 20],
        "title": ["3 4", "5"],
        "old_price": [10, 20],
    }
    pq.write_table(pa.table(catalog), own / FILES[1])
    pq.write_table(pa.table({"product_id": ["y", "x"], "vector_id": [0, 1]}), own / FILES[2])
    write_sample(tmp_path / "out", 20, 500, seed=1, catalog=own, days=8)
    assert pq.read_table(tmp_path / "out" / FILES[1]).equals(pq.read_table(own / FILES[1]))
    actions = pq.read_table(tmp_path / "out" / FILES[0]).to_pandas()
    assert set(actions["products"].explode().dropna()) == {"x", "y"}
    assert actions["date"].min().timestamp() > 1_700_000_000
    write_sample(tmp_path / "swapped", 20, 500, seed=1, catalog=tmp_path / "out", days=8)
    vectors = np.load(tmp_path / "out" / FILES[3])["vectors"]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors, np.load(tmp_path / "swapped" / FILES[3])["vectors"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rows", "0"], "--rows must be at least 1"),
        (["--users", "0"], "--users must be at least 1"),
        (["--days", "3"], "--days must be at least 4"),
    ],
)
def test_a_size_of_nothing_is_refused(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as exit_status:
        main(["--out", str(tmp_path / "a"), *arguments])
    assert exit_status.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_a_catalog_that_is_not_there_is_named(tmp_path, capsys):
    assert main(["--out", str(tmp_path / "a"), "--catalog", str(tmp_path / "nowhere")]) == 2
    assert "nowhere/stokman_catalog_preprocessed.pq: cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_a_sample_so_small_that_nobody_acts_says_so(tmp_path):
    said = write_sample(tmp_path, users=1, rows=1, seed=7, items=1, days=4)
    assert said[0].startswith("0 actions: view 0, ")
    assert said[-1] == "nobody buys in the last 3 days"
    assert pq.read_metadata(tmp_path / "train_actions.pq").num_rows == 0
