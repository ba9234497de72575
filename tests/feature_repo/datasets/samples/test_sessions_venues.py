"""The sample files have the published statistics, and the adapter reads them."""

import csv
import statistics

import duckdb
import pytest

from feature_repo.datasets import sessions_venues
from feature_repo.datasets.samples.sessions_venues import main, write_sample

SESSIONS = 150


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, SESSIONS, seed=3)
    return folder


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_columns_are_those_of_the_task(sample):
    assert (sample / "sessions.csv").read_text().splitlines()[0] == (
        ",purchased,session_id,position_in_list,venue_id,has_seen_venue_in_this_session,"
        "is_new_user,is_from_order_again,is_recommended"
    )
    assert (sample / "venues.csv").read_text().splitlines()[0] == (
        "venue_id,conversions_per_impression,price_range,rating,popularity,retention_rate"
    )


def test_the_rows_are_like_those_published(sample):
    rows = read(sample / "sessions.csv")
    positions = [int(row["position_in_list"]) for row in rows]
    assert 220 * SESSIONS < len(rows) < 400 * SESSIONS  # published: 310 per session
    assert max(positions) <= 630
    assert statistics.mean(positions) == pytest.approx(219, abs=25)
    assert sum(row["has_seen_venue_in_this_session"] == "" for row in rows) / len(rows) == pytest.approx(
        0.0102, abs=4e-3
    )
    again = sum(row["is_from_order_again"].lower() == "true" for row in rows) / len(rows)
    assert again == pytest.approx(0.0636, abs=0.01)
    assert {row["is_recommended"] for row in rows} == {"True", "False", "true", "false"}
    assert len({row["session_id"].lower() for row in rows}) == SESSIONS
    assert {row["session_id"].islower() for row in rows} == {True, False}


def test_the_venues_are_like_those_published(sample):
    rows = read(sample / "venues.csv")
    assert len(rows) == 1_215

    def known(name):
        return [float(row[name]) for row in rows if row[name]]

    assert statistics.mean(known("conversions_per_impression")) == pytest.approx(0.181, abs=0.02)
    assert statistics.mean(known("price_range")) == pytest.approx(1.92, abs=0.1)
    assert statistics.mean(known("rating")) == pytest.approx(8.80, abs=0.1)
    assert statistics.stdev(known("rating")) == pytest.approx(0.47, abs=0.05)
    assert statistics.mean(known("popularity")) == pytest.approx(3.53, abs=1.0)
    assert statistics.mean(known("retention_rate")) == pytest.approx(0.273, abs=0.02)
    for name, nulls in (("conversions_per_impression", 74), ("rating", 84), ("retention_rate", 66)):
        assert len(rows) - len(known(name)) == pytest.approx(nulls, abs=35)


def test_the_adapter_reads_the_sample_and_purchases_depend_on_the_venues(sample, out, settings):
    sessions_venues.write_log(out, source=sample, size=None, settings=settings)
    conversion, base, top, base_again, again = duckdb.sql(
        f"""
        SELECT avg(venue_conversion) FILTER (label = 1), avg(venue_conversion),
            avg((input_position < 50)::INTEGER) FILTER (label = 1),
            avg(is_from_order_again), avg(is_from_order_again) FILTER (label = 1)
        FROM '{out}/impressions.parquet' JOIN '{out}/items.parquet' USING (item_id)
        """
    ).fetchall()[0]
    assert conversion > 1.5 * base
    assert again > 4 * base_again
    assert top > 0.4


def test_the_same_seed_gives_the_same_files(tmp_path):
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["--out", str(tmp_path / name), "--sessions", "3", "--seed", seed]) == 0
    for file in ("sessions.csv", "venues.csv"):
        first, second, other = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert first == second != other


def test_zero_sessions_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_status:
        main(["--out", str(tmp_path / "a"), "--sessions", "0"])
    assert exit_status.value.code == 2
    assert "--sessions must be at least 1" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
