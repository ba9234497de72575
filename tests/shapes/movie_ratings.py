"""Ratings of films and no lists: the shape of MovieLens (ml-latest-small).

``ratings.csv``  userId, movieId, rating (0.5 to 5.0 in halves), timestamp (unix s), sorted by user and film
``movies.csv``   movieId, title with the year in brackets, genres separated by ``|``
``tags.csv``     userId, movieId, tag, timestamp: a few
``links.csv``    movieId, imdbId (seven digits, zeros in front), tmdbId (some missing)

Truth: a film's quality and its renown, which drifts from day to day and is highest after its release, plus the user's
taste for its genres. A user comes a few times in the year and rates some films at one sitting, films drawn by
exp(utility), none twice, which the truth knows. The rating is the same utility, plus the user's own level and noise,
cut into halves. So one utility orders both what a user rates next and how a user likes it.

What a shop would make of it, and what the oracle is judged by, both ways:

    next      the films that are rated 4 or more at a sitting, among the popular ones that the user has not rated yet
    sittings  the films of one sitting as a list, labels 0 to 4 by the rating (0.5 to 1.0 is 0, 4.5 and 5.0 are 4)

Oddities: titles with commas and quotes, 2 % without a year, ``(no genres listed)``, equal timestamps within a sitting,
a tenth of the films has four tenths of the ratings, some have none.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from tests.shapes.drawing import (
    SECOND_US,
    Integers,
    heavy_tail,
    instants,
    memberships,
    picked,
    stream,
    tastes,
    wandering,
)
from tests.shapes.ids import USER, named
from tests.shapes.slates import Acts, Slates, last_part, next_slates, popularity
from tests.shapes.truth import Taken, Truth, plain_truth

FULL, SMALL = 4_000, 400  # sittings
START_US = 1_514_764_800_000_000  # 2018-01-01 UTC
DAYS = 365
GENRES = (
    *("Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy"),
    *("Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War"),
)
WORDS = (
    "Night",
    "River",
    "Last",
    "Garden",
    "Machine",
    "Winter",
    "Letter",
    "Stranger",
    "Road",
    "Summer",
    "Silent",
    "Moon",
)
LOVED = 4.0


def write(folder: Path, *, seed: int = 7, size: int = FULL) -> Truth:
    """``size``: sittings. Writes the files of the module's docstring into ``folder``."""
    truth = _world(seed, size)
    rng = stream(seed, "sittings")
    users = len(truth.who)
    begin = instants(rng, size, START_US, DAYS)
    visitor = rng.choice(users, size=size, p=heavy_tail(rng, users, 0.6))
    level = rng.normal(3.5, 0.4, size=users)
    rated: list[list[int]] = [[] for _ in range(users)]
    columns: list[tuple[Integers, ...]] = []
    for number, (user, us) in enumerate(zip(visitor.tolist(), begin.tolist(), strict=True)):
        value = truth.of_all_items(user, us)
        open_to = value.copy()
        open_to[rated[user]] = -np.inf
        film = picked(rng, open_to, min(4 + int(rng.geometric(0.12)), 40))
        rated[user] += film.tolist()
        stars = level[user] + 0.45 * (value[film] - 4.0) + rng.normal(scale=0.7, size=len(film))
        halves = np.clip(np.rint(2 * stars), 1, 10).astype(np.int64)
        at = us + np.cumsum(rng.integers(0, 25, size=len(film))) * SECOND_US
        columns.append((np.full(len(film), number), np.full(len(film), user), film, halves, at))
    sitting, rater, film, halves, at = (np.concatenate([part[n] for part in columns]) for n in range(5))
    _write_files(folder, truth, rater, film, halves, at, rng)
    slates = {
        "next": _next(truth, sitting, rater, film, halves, at),
        "sittings": _sittings(truth, sitting, rater, film, halves, at),
    }
    return replace(truth, slates=slates, taken=Taken(rater, film, at))


def _world(seed: int, size: int) -> Truth:
    rng = stream(seed, "films")
    users, films = max(size // 8, 20), int(np.clip(size // 2, 800, 2_000))
    kind = rng.choice(len(GENRES), size=films, p=heavy_tail(rng, len(GENRES), 0.6))
    released = np.where(rng.random(films) < 0.15, rng.integers(DAYS, size=films), -2_000)
    age = np.arange(DAYS)[:, None] - released
    renown = np.where(age >= 0, 1.5 * np.exp(-np.maximum(age, 0) / 45), -50.0)
    return plain_truth(
        who=named(USER, 1 + np.arange(users)),
        items=np.array([str(number) for number in np.sort(1 + rng.permutation(20 * films)[:films])]),
        quality=rng.normal(0.5, 1.2, size=films),
        weights=tastes(rng, users, len(GENRES), 4.0, narrow=0.2),
        loadings=memberships(rng, kind, len(GENRES), 0.6),
        start_us=START_US,
        drift=renown + wandering(rng, DAYS, films, 0.5, 0.98),
    )


def _write_files(
    folder: Path,
    truth: Truth,
    rater: Integers,
    film: Integers,
    halves: Integers,
    at: Integers,
    rng: np.random.Generator,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ratings = pd.DataFrame(
        {
            "userId": rater + 1,
            "movieId": truth.items[film].astype(np.int64),
            "rating": halves / 2,
            "timestamp": at // SECOND_US,
        }
    )
    ratings.sort_values(["userId", "movieId"]).to_csv(folder / "ratings.csv", index=False)
    number = truth.items.astype(np.int64)
    movies = pd.DataFrame({"movieId": number, "title": _titles(rng, len(number)), "genres": _genres(truth)})
    movies.to_csv(folder / "movies.csv", index=False)
    some = np.sort(rng.choice(len(ratings), size=max(len(ratings) // 40, 1), replace=False))
    tags = ratings.iloc[some][["userId", "movieId"]]
    tags.insert(2, "tag", rng.choice(["atmospheric", "seen twice", "funny, dark", "twist ending"], size=len(some)))
    tags["timestamp"] = ratings["timestamp"].to_numpy()[some] + 30
    tags.to_csv(folder / "tags.csv", index=False)
    tmdb = np.where(rng.random(len(number)) < 0.01, "", (9_000 + 3 * number).astype(str))
    imdb = [f"{114_000 + 7 * each:07d}" for each in number.tolist()]
    pd.DataFrame({"movieId": number, "imdbId": imdb, "tmdbId": tmdb}).to_csv(folder / "links.csv", index=False)


def _titles(rng: np.random.Generator, count: int) -> list[str]:
    titles = []
    for number in range(count):
        first, second = rng.choice(WORDS, 2, replace=False)
        name = rng.choice([f"{first} {second}, The", f"{first} of the {second}", f'The "{first}" {second} {number}'])
        titles.append(f"{name} ({rng.integers(1950, 2019)})" if rng.random() > 0.02 else str(name))
    return titles


def _genres(truth: Truth) -> list[str]:
    """By how much a film is of it, the first is the main one; a few have none listed."""
    listed = []
    for number, of in enumerate(truth.loadings):
        names = [GENRES[kind] for kind in np.argsort(-of, kind="stable")[: int((of > 0).sum())]]
        listed.append("|".join(sorted(names)) if number % 50 else "(no genres listed)")
    return listed


def _next(truth: Truth, sitting: Integers, rater: Integers, film: Integers, halves: Integers, at: Integers) -> Slates:
    loved = halves >= 2 * LOVED
    text = truth.who[rater[loved]]
    acts = Acts(sitting[loved], np.char.replace(text, USER, ""), np.full(len(text), ""), film[loved], at[loved])
    return next_slates(acts, truth.items, START_US, only_new=True, popular=100)


def _sittings(
    truth: Truth, sitting: Integers, rater: Integers, film: Integers, halves: Integers, at: Integers
) -> Slates:
    """The films of one sitting, in the order of their ids: the order in which they were rated says too much."""
    first = np.unique(sitting, return_index=True)[1]
    last = sitting[first][last_part(at[first])]
    rows = np.flatnonzero(np.isin(sitting, last))
    rows = rows[np.lexsort((film[rows], sitting[rows]))]
    found = popularity(START_US, len(truth.items), film, at)
    shown = np.array([at[sitting == each].min() for each in sitting[rows]])
    label = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4])[halves[rows]]
    positives = np.bincount(sitting[rows], label > 0)[sitting[rows]].astype(np.int64)
    return Slates(
        slate=sitting[rows],
        user=np.char.replace(truth.who[rater[rows]], USER, ""),
        session=np.full(len(rows), ""),
        item=truth.items[film[rows]],
        us=shown,
        position=np.full(len(rows), -1, dtype=np.int64),
        label=label,
        popularity=np.array([float(found.at(int(us))[item]) for us, item in zip(shown, film[rows], strict=True)]),
        wanted=positives,
    )
