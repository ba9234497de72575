"""Into SQLite, with SQL of its own as the judge."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest

from training.recommend.database import Run, is_database, without_password, write_recommendations
from training.recommend.errors import BadTarget
from training.recommend.submission import Submission

RUN = Run("shop-1", datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 4, tzinfo=UTC))
OTHER = Run("shop-2", datetime(2024, 3, 4, tzinfo=UTC), datetime(2024, 3, 7, tzinfo=UTC))
FIRST = Submission(["u", "v"], [["a", "b"], ["b", "c"]], np.array([[2.0, 1.0], [0.5, np.nan]]))
SECOND = Submission(["v"], [["c", "a"]])


@pytest.fixture
def file(tmp_path):
    return tmp_path / "shop.db"


def rows(file, columns: str = "run_id, user_id, rank, item_id") -> list[tuple]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(f"SELECT {columns} FROM recommendations ORDER BY run_id, user_id, rank").fetchall()


def test_each_item_of_each_user_is_a_row(file):
    write_recommendations(FIRST, f"sqlite:///{file}", RUN)
    assert rows(file) == [
        ("shop-1", "u", 1, "a"),
        ("shop-1", "u", 2, "b"),
        ("shop-1", "v", 1, "b"),
        ("shop-1", "v", 2, "c"),
    ]
    assert rows(file, "score") == [(2.0,), (1.0,), (0.5,), (None,)]
    assert rows(file, "DISTINCT date(window_start), date(window_end)") == [("2024-03-01", "2024-03-04")]


def test_a_second_run_replaces_and_never_doubles(file):
    for submission in (FIRST, FIRST, SECOND):
        write_recommendations(submission, f"sqlite:///{file}", RUN)
    assert rows(file) == [("shop-1", "v", 1, "c"), ("shop-1", "v", 2, "a")]


def test_runs_do_not_touch_each_other(file):
    write_recommendations(FIRST, f"sqlite:///{file}", RUN)
    write_recommendations(SECOND, f"sqlite:///{file}", OTHER)
    assert [row[0] for row in rows(file)] == ["shop-1"] * 4 + ["shop-2"] * 2


def test_a_run_that_fails_half_way_leaves_the_rows_of_the_earlier_one(file):
    write_recommendations(FIRST, f"sqlite:///{file}", RUN)
    before = rows(file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TRIGGER no_c BEFORE INSERT ON recommendations WHEN NEW.item_id = 'z' "
                           "BEGIN SELECT RAISE(ABORT, 'z is refused'); END")  # fmt: skip
    with pytest.raises(BadTarget, match="z is refused"):
        write_recommendations(Submission(["a", "w"], [["a", "b"], ["a", "z"]]), f"sqlite:///{file}", RUN)
    assert rows(file) == before


def test_a_url_is_told_from_a_file():
    assert is_database("postgresql://host/db")
    assert not is_database("out/submission.parquet")


def test_passwords_are_not_shown(file, capsys):
    assert without_password("postgresql://me:hunter2@host/db") == "postgresql://me:***@host/db"
    in_query = "postgresql://host/db?user=me&password=hunter2&sslpassword=hunter2&sslmode=require"
    assert (
        without_password(in_query) == "postgresql://host/db?password=hidden&sslmode=require&sslpassword=hidden&user=me"
    )
    for url in ("postgresql+nodriver://me:hunter2@host/db", "postgresql://me:hunter2@127.0.0.1:1/db", "://hunter2"):
        with pytest.raises(BadTarget) as error:
            write_recommendations(FIRST, url, RUN)
        assert "hunter2" not in str(error.value)
    assert "hunter2" not in "".join(capsys.readouterr())


def test_a_database_that_cannot_be_opened_is_an_error(tmp_path):
    with pytest.raises(BadTarget, match="unable to open database file"):
        write_recommendations(FIRST, f"sqlite:///{tmp_path}/none/shop.db", RUN)
