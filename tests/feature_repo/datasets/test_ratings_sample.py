"""The sample of ratings: the same for the same seed, readable by the parquet adapter, with the options it names."""

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from feature_repo.datasets import parquet
from feature_repo.datasets.samples.ratings import Options, main, ndcg, ratings, write_sample
from infra.settings import Settings
from training.evaluation.metrics import ScoredSlates, slate_metrics

SMALL = Options(slates=60, films=200, users=12, seed=3)


def test_the_same_seed_gives_the_same_ratings_and_another_seed_others():
    first, again = ratings(SMALL), ratings(SMALL)
    assert np.array_equal(first.label, again.label)
    assert not np.array_equal(first.label, ratings(Options(slates=60, films=200, users=12, seed=4)).label)


def test_no_user_gets_a_film_twice():
    found = ratings(SMALL)
    for user in range(SMALL.users):
        films = found.film[found.user == user].ravel()
        assert len(films) == len(set(films.tolist())) > 0


def test_the_printed_metric_is_that_of_the_evaluation():
    found = ratings(SMALL)
    sizes = np.full(len(found.user), SMALL.length)
    slates = ScoredSlates(found.utility.ravel(), found.label.ravel(), sizes, sizes)
    np.testing.assert_allclose(ndcg(found.label, found.utility), slate_metrics(slates).values["ndcg@10"])


def test_the_files_are_a_log_of_a_users_own(tmp_path):
    write_sample(tmp_path / "in", SMALL)
    settings = Settings(_env_file=None, data_dir=tmp_path, state_dir=tmp_path / "var", dataset="ratings")
    parquet.write_log(tmp_path / "log", source=tmp_path / "in", size=None, settings=settings)
    impressions = pq.read_table(tmp_path / "log" / "impressions.parquet")
    assert impressions.num_rows == SMALL.slates * SMALL.length
    assert sorted(set(impressions["label"].to_pylist())) == [0, 1, 2, 3, 4]


def test_a_shift_moves_the_events_before_their_slate_and_the_single_share_makes_lists_of_one(tmp_path, capsys):
    arguments = ["--slates", "60", "--films", "200", "--users", "12", "--shift-minutes", "-30", "--single-share", "0.5"]
    assert main(["--out", str(tmp_path), *arguments]) == 0
    assert "oracle 0." in capsys.readouterr().out
    impressions = pq.read_table(tmp_path / "impressions.parquet")
    sizes = impressions.group_by("slate_id").aggregate([("item_id", "count")])["item_id_count"].to_pylist()
    assert set(sizes) == {1, SMALL.length}
    events = pq.read_table(tmp_path / "events.parquet").join(
        impressions.select(["session_id", "shown_ts"]).group_by("session_id").aggregate([("shown_ts", "min")]),
        "session_id",
    )
    assert pc.all(pc.less(events["event_ts"], events["shown_ts_min"])).as_py()


def test_more_ratings_than_films_are_refused():
    with pytest.raises(ValueError, match="needs as many films"):
        ratings(Options(slates=60, films=20, users=2))
