import duckdb

from feature_repo.init.reading.sample import text_of
from feature_repo.init.reading.tables import read_source, whole_distinct
from feature_repo.init.thresholds import BLOCK_ROWS, SAMPLE_ROWS


def test_a_large_file_is_sampled_in_blocks_from_its_first_to_its_last_row(tmp_path):
    rows = 2 * SAMPLE_ROWS + 300
    with duckdb.connect() as connection:
        numbers = f"SELECT i // 4 AS list_id, i AS n FROM range({rows}) t(i)"
        connection.execute(f"COPY ({numbers}) TO '{tmp_path}/big.parquet' (FORMAT parquet)")
        (table,) = read_source(connection, tmp_path, tmp_path).tables
        assert table.rows == rows
        count, first, last = connection.execute(f"SELECT count(*), min(row_), max(row_) FROM {table.sample}").fetchone()
        assert 0.9 * SAMPLE_ROWS < count <= SAMPLE_ROWS
        assert (first, last) == (0, rows - 1)
        # Lists of four rows stay whole: blocks begin at multiples of their size.
        cut = connection.execute(
            f"SELECT count(*) FROM (SELECT list_id FROM {table.sample} GROUP BY 1 HAVING count(*) <> 4)"
        ).fetchone()
        assert BLOCK_ROWS % 4 == 0
        assert cut == (0,)
        thirds = connection.execute(f"SELECT count(DISTINCT row_ // {rows // 3 + 1}) FROM {table.sample}").fetchone()
        assert thirds == (3,)
        assert whole_distinct(connection, table, ["n"]) == rows
        assert whole_distinct(connection, table, ["list_id"]) == rows // 4


def test_words_for_nothing_are_null_and_whole_floats_have_no_fraction():
    values = "('nan', '34.0', [1, 2]), (' 7 ', 'nan', [1, 2]), ('NULL', '1.5', [])"
    texts = f"{text_of('a', 'VARCHAR')}, {text_of('b', 'DOUBLE')}, {text_of('c', 'INTEGER[]')}"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t AS SELECT a, b::DOUBLE AS b, c FROM (VALUES {values}) v(a, b, c)")
        found = connection.execute(f"SELECT {texts} FROM t").fetchall()
    assert found == [(None, "34", "1|2"), ("7", None, "1|2"), (None, "1.5", None)]
