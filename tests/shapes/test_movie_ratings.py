from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.shapes.conftest import Written


@pytest.fixture(scope="module")
def folder(shape: Callable[[str], Written]) -> Path:
    return shape("movie_ratings").folder


def test_ratings_are_halves_up_to_five_of_films_that_are_listed(folder: Path) -> None:
    ratings = pd.read_csv(folder / "ratings.csv")
    assert list(ratings) == ["userId", "movieId", "rating", "timestamp"]
    assert set(ratings["rating"] * 2) == set(range(1, 11))
    assert set(ratings["movieId"]) <= set(pd.read_csv(folder / "movies.csv")["movieId"])
    assert 2.7 < ratings["rating"].mean() < 3.8
    assert not ratings.duplicated(["userId", "movieId"]).any()


def test_the_file_is_sorted_by_user_and_film_and_not_by_time(folder: Path) -> None:
    ratings = pd.read_csv(folder / "ratings.csv")
    assert ratings.equals(ratings.sort_values(["userId", "movieId"]))
    assert not ratings["timestamp"].is_monotonic_increasing
    assert ratings.duplicated(["userId", "timestamp"]).any()


def test_titles_and_genres_have_the_oddities_of_the_public_file(folder: Path) -> None:
    movies = pd.read_csv(folder / "movies.csv")
    for part in (",", '"', "("):
        assert movies["title"].str.contains(part, regex=False).any(), part
    assert not movies["title"].str.endswith(")").all()
    assert (movies["genres"] == "(no genres listed)").any()
    assert movies["genres"].str.contains("|", regex=False).mean() > 0.3


def test_ids_elsewhere_have_zeros_in_front_and_gaps(folder: Path) -> None:
    links = pd.read_csv(folder / "links.csv", dtype=str)
    assert links["imdbId"].str.match(r"0\d{6}$").all()
    assert links["tmdbId"].isna().any()
    assert list(pd.read_csv(folder / "tags.csv")) == ["userId", "movieId", "tag", "timestamp"]
