"""``python -m feature_repo.datasets.samples.ratings --out DIR``: ratings of films as a log of a user's own.

The files are what the adapter ``parquet`` reads: items, events and impressions. A slate is a
random list of films in random order, its labels are the user's ratings, 0 to 4. No user gets a film twice. A rating is
followed by a like of the film from 3 on, and at 4 by an order. Most films have no order or one in 28 days, so that
a model of a few trees gives many films of a list equal scores.

    utility = MEAN + QUALITY * the film's quality + TASTE * the user's taste for its genre + GENEROSITY * the user's own
    rating  = utility + NOISE * N(0, 1), rounded, within 0 to 4

``truth.parquet`` has the utility of each candidate. The command prints the NDCG@10 of an oracle that ranks by it, over
the last 15 % of the slates, which are the test split.

``--random-labels`` draws the ratings without regard to user and film. ``--shift-minutes -30`` moves the events, as a
mistake with time zones does, so that they stand before the slate that they follow.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Integers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

SLATES, FILMS, USERS, LENGTH, SEED = 3_000, 3_000, 600, 13, 7
GENRES = 12
MEAN, QUALITY, TASTE, GENEROSITY, NOISE = 2.4, 0.45, 0.15, 0.3, 1.0
START_US = 1_704_067_200_000_000  # 2024-01-01 UTC
DAY_US, SECOND_US = 86_400_000_000, 1_000_000
DAYS = 84
TEST_SHARE = 0.15
DEPTH = 10
FOLLOWING = (("like", 3, 10), ("order", 4, 15))  # action, lowest label, seconds after the slate


@dataclass(frozen=True)
class Options:
    """``length``: candidates of a slate. ``single_share``: the share of the slates with one candidate only."""

    slates: int = SLATES
    films: int = FILMS
    users: int = USERS
    length: int = LENGTH
    seed: int = SEED
    random_labels: bool = False
    shift_minutes: float = 0.0
    single_share: float = 0.0
    events: bool = True


@dataclass(frozen=True)
class Ratings:
    """``user``, ``shown_us``: (s,), in order of time. ``film``, ``label``, ``utility``: (s, length).

    ``genre``: (films,). ``size``: (s,) the candidates that the slate has, its first ones.
    """

    user: Integers
    shown_us: Integers
    film: Integers
    label: Integers
    utility: Doubles
    size: Integers
    genre: Integers

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        return np.arange(self.film.shape[1]) < self.size[:, None]


def ratings(options: Options) -> Ratings:
    """Raises ValueError where a user would need more films than there are."""
    rng = np.random.default_rng(options.seed)
    genre = rng.integers(GENRES, size=options.films)
    quality = rng.normal(size=options.films)
    taste, generosity = rng.normal(size=(options.users, GENRES)), rng.normal(size=options.users)
    user = rng.permutation(np.arange(options.slates) % options.users)
    shown_us = START_US + np.sort(rng.integers(DAY_US, DAYS * DAY_US, size=options.slates))
    film = _lists(rng, user, options)
    utility = MEAN + QUALITY * quality[film] + TASTE * taste[user[:, None], genre[film]]
    utility += GENEROSITY * generosity[user, None]
    label = np.clip(np.rint(utility + NOISE * rng.normal(size=film.shape)), 0, 4).astype(np.int64)
    if options.random_labels:
        label = rng.permutation(label.ravel()).reshape(label.shape)
    size = np.where(rng.random(options.slates) < options.single_share, 1, options.length)
    return Ratings(user, shown_us, film, label, utility, size, genre)


def _lists(rng: np.random.Generator, user: Integers, options: Options) -> Integers:
    """(s, length) films of each slate; no user gets a film twice."""
    film = np.empty((options.slates, options.length), dtype=np.int64)
    most = -(-options.slates // options.users) * options.length
    if most > options.films:
        raise ValueError(f"a user with {most} ratings needs as many films, not {options.films}: more films or users")
    for each in range(options.users):
        slates = np.flatnonzero(user == each)
        film[slates] = rng.permutation(options.films)[: len(slates) * options.length].reshape(-1, options.length)
    return film


def ndcg(label: Integers, score: Doubles) -> Doubles:
    """(s,) NDCG@10 of slates of equal length, without ties in ``score``; NaN without a positive label."""
    discount = np.where(np.arange(label.shape[1]) < DEPTH, 1 / np.log2(np.arange(label.shape[1]) + 2.0), 0.0)
    gain = 2.0**label - 1
    got = np.take_along_axis(gain, np.argsort(-score, axis=1, kind="stable"), axis=1) @ discount
    best = -np.sort(-gain, axis=1) @ discount
    return np.asarray(got / np.where(best > 0, best, np.nan), dtype=np.float64)


def write_sample(out: Path, options: Options) -> Ratings:
    """Write the three tables and truth.parquet into ``out``."""
    found = ratings(options)
    out.mkdir(parents=True, exist_ok=True)
    pq.write_table(_items(found), out / "items.parquet")
    pq.write_table(_impressions(found), out / "impressions.parquet")
    events = _events(found, options)
    pq.write_table(events if options.events else events.slice(0, 0), out / "events.parquet")
    slate, position = np.nonzero(found.filled)
    truth = {"slate_id": _ids("l", slate), "item_id": _ids("f", found.film[slate, position])}
    pq.write_table(pa.table({**truth, "utility": found.utility[slate, position]}), out / "truth.parquet")
    return found


def _items(found: Ratings) -> pa.Table:
    films = np.arange(len(found.genre))
    return pa.table(
        {
            "item_id": _ids("f", films),
            "valid_from_ts": _timestamps(np.full(len(films), START_US)),
            "category_id": _ids("g", found.genre),
        }
    )


def _impressions(found: Ratings) -> pa.Table:
    slate, position = np.nonzero(found.filled)
    return pa.table(
        {
            "slate_id": _ids("l", slate),
            "user_id": _ids("u", found.user[slate]),
            "session_id": _ids("s", slate),
            "item_id": _ids("f", found.film[slate, position]),
            "shown_ts": _timestamps(found.shown_us[slate]),
            "input_position": position,
            "label": found.label[slate, position],
        }
    )


def _events(found: Ratings, options: Options) -> pa.Table:
    tables = []
    for action, lowest, seconds in FOLLOWING:
        slate, position = np.nonzero(found.filled & (found.label >= lowest))
        happened = found.shown_us[slate] + (seconds + 20 * position) * SECOND_US
        tables.append(
            pa.table(
                {
                    "event_id": [f"{action}-{a}-{b}" for a, b in zip(slate.tolist(), position.tolist(), strict=True)],
                    "user_id": _ids("u", found.user[slate]),
                    "session_id": _ids("s", slate),
                    "item_id": _ids("f", found.film[slate, position]),
                    "event_ts": _timestamps(happened + round(options.shift_minutes * 60) * SECOND_US),
                    "action": pa.array([action] * len(slate), pa.string()),
                    "category_id": _ids("g", found.genre[found.film[slate, position]]),
                }
            )
        )
    return pa.concat_tables(tables)


def _ids(letter: str, numbers: Integers) -> pa.Array:
    return pa.array([f"{letter}{number}" for number in numbers.tolist()], pa.string())


def _timestamps(us: Integers) -> pa.Array:
    return pa.array(us, pa.timestamp("us", tz="UTC"))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m feature_repo.datasets.samples.ratings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    for name in ("slates", "films", "users", "length", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Options, name))
    parser.add_argument("--random-labels", action="store_true", help="ratings that depend on nothing")
    parser.add_argument("--shift-minutes", type=float, default=0.0, help="added to the time of every event")
    parser.add_argument("--single-share", type=float, default=0.0, help="share of the slates with one candidate")
    parser.add_argument("--no-events", dest="events", action="store_false", help="an empty table of events")
    arguments = vars(parser.parse_args(argv))
    try:
        found = write_sample(arguments.pop("out"), Options(**arguments))
    except ValueError as error:
        print(f"feature_repo.datasets.samples.ratings: {error}", file=sys.stderr)
        return 2
    tested = (np.arange(len(found.user)) >= (1 - TEST_SHARE) * len(found.user)) & (found.size > 1)
    label, shuffled = found.label[tested], np.random.default_rng(0).random(found.label[tested].shape)
    print(
        f"NDCG@{DEPTH} over {tested.sum()} test slates: oracle {np.nanmean(ndcg(label, found.utility[tested])):.4f}, ",
        end="",
    )
    print(f"random {np.nanmean(ndcg(label, shuffled)):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
