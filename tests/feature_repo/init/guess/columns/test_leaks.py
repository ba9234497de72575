"""Columns that come to be after the list was shown, and columns that only look so."""

import duckdb
import pytest

from feature_repo.init.guess.columns.leaks import leak_of
from feature_repo.init.guess.queries import Sampled
from feature_repo.init.guess.tables import view_of
from feature_repo.init.reading.tables import read_source
from tests.feature_repo.init.folders import write

ROWS = 400


@pytest.fixture
def leak(tmp_path):
    """The reason for which a column is none of the facts. ``cells``: of each row by (number, clicked)."""

    def of(name, cells):
        clicked = [int(n % 10 == 0) for n in range(ROWS)]
        rows = [(f"l{n // 5}", f"i{n % 37}", n % 5, clicked[n], cells(n, clicked[n])) for n in range(ROWS)]
        write(tmp_path, "lists.csv", ("slate_id", "item_id", "position", "click", name), rows)
        with duckdb.connect() as connection:
            (table,) = read_source(connection, tmp_path, tmp_path).tables
            view = view_of(connection, table)
            return leak_of(Sampled(connection), view, view.columns[name], "click = '1'")

    return of


def test_a_value_that_only_positives_have_gives_the_outcome_away(leak):
    assert "100% of the rows that have it are positives" in leak(
        "minutes", lambda n, clicked: 1 + n % 7 if clicked else ""
    )
    assert "LEAK" in leak("money", lambda n, clicked: 5.5 + n if clicked else 0)


def test_a_number_that_ranks_the_positives_first_gives_it_away(leak):
    assert "AUC 1.000" in leak("x", lambda n, clicked: clicked + 0.0001 * (1 + n % 900))
    assert "AUC 1.000" in leak("x", lambda n, clicked: 2 - clicked + 0.0001 * (n % 900))  # the lower the better


def test_a_name_of_what_happens_afterwards_makes_a_weaker_sign_enough(leak):
    def longer(n, clicked):
        return (n * 7) % 100 + 40 * clicked

    assert "speaks of what happens afterwards" in leak("dwell_time", longer)
    assert leak("height", longer) is None


def test_a_feature_that_helps_is_no_leak(leak):
    assert leak("price", lambda n, _: 10 + n % 13) is None
    assert leak("conversion_rate", lambda n, _: (n * 31 % 100) / 100) is None


def test_the_chance_of_the_policy_is_no_feature(leak):
    assert "policy" in leak("propensity_score", lambda n, _: 0.01 + (n % 9) / 100)


def test_the_area_is_that_of_all_pairs():
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1, 0), (2, 0), (2, 1), (3, 1), (0, 0)) v(v, p)")
        auc, precision, rows = Sampled(connection).ranking("t", "v", "p = 1")
    # Positives 2 and 3 against negatives 1, 2 and 0: (1 + 0.5 + 1) + (1 + 1 + 1) of 6 pairs.
    assert auc == pytest.approx(5.5 / 6)
    assert (precision, rows) == (0.5, 4)
