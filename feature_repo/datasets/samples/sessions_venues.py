"""``python -m feature_repo.datasets.samples.sessions_venues --out DIR``: CSV files like those of a food-delivery task.

The files follow the published statistics: list lengths, positions, rates of the flags, nulls and outliers of the
venues, mixed spellings, repeated rows. Purchases depend on the attributes of the venues, so that a model can learn.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SESSIONS, VENUES = 4_415, 1_215
UNKNOWN_VENUES = 5
SESSION_HEADER = (
    "", "purchased", "session_id", "position_in_list", "venue_id", "has_seen_venue_in_this_session",
    "is_new_user", "is_from_order_again", "is_recommended",
)  # fmt: skip
VENUE_HEADER = ("venue_id", "conversions_per_impression", "price_range", "rating", "popularity", "retention_rate")
PURCHASES = ((1, 4367), (0, 34), (4, 13), (2, 1))  # (purchases, sessions that have as many)
MIN_LENGTH, MAX_LENGTH, MAX_ROWS = 11, 631, 2_436


@dataclass(frozen=True)
class Venues:
    """(n,) each. ``appeal`` is the venue's part in a purchase. NaN becomes an empty value in the CSV file."""

    venue_id: Integers
    conversion: Doubles
    price_range: Integers
    rating: Doubles
    popularity: Doubles
    retention: Doubles
    appeal: Doubles


def write_sample(out: Path, sessions: int, seed: int) -> None:
    """Write sessions.csv and venues.csv into ``out``, each complete or not at all."""
    rng = np.random.default_rng(seed)
    venues = _venues(rng)
    out.mkdir(parents=True, exist_ok=True)
    _write(out / "venues.csv", VENUE_HEADER, _venue_rows(venues))
    rows = (row for _ in tqdm(range(sessions), unit="session", desc="sampling") for row in _session(rng, venues))
    _write(out / "sessions.csv", SESSION_HEADER, ([number, *row] for number, row in enumerate(rows)))


def _write(path: Path, header: tuple[str, ...], rows: Iterator[list[Any]]) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _venues(rng: np.random.Generator) -> Venues:
    """The listed venues, then UNKNOWN_VENUES more, which venues.csv lacks."""
    n = VENUES + UNKNOWN_VENUES
    worth = rng.normal(size=n)  # latent; the published figures are noisy measurements of it
    conversion = rng.beta(1.25, 5.65, size=n)
    conversion = np.sort(conversion)[np.argsort(np.argsort(worth + rng.normal(scale=0.5, size=n)))].clip(max=0.946)
    rating = np.clip(8.80 + 0.47 * (0.5 * worth + 0.87 * rng.normal(size=n)), 5.2, 10)
    popularity = np.exp(0.35 + 0.75 * worth + 1.0 * rng.normal(size=n))
    retention = np.clip(0.273 + 0.150 * (0.5 * worth + 0.87 * rng.normal(size=n)), 0, 1)
    appeal = 5.0 * conversion + 0.5 * (rating - 8.8) / 0.47 + 0.5 * np.log(popularity) + 2.0 * retention
    return Venues(
        venue_id=rng.choice(2**62, size=n, replace=False) * np.where(rng.random(n) < 0.5, -1, 1),
        conversion=_with_nulls(rng, conversion, 74 / VENUES),
        price_range=rng.choice(5, size=n, p=[0.02, 0.26, 0.52, 0.18, 0.02]),
        rating=_with_nulls(rng, rating, 84 / VENUES),
        popularity=popularity,
        retention=_with_nulls(rng, retention, 66 / VENUES),
        appeal=appeal,
    )


def _with_nulls(rng: np.random.Generator, values: Doubles, share: float) -> Doubles:
    return np.where(rng.random(len(values)) < share, np.nan, values)


def _venue_rows(venues: Venues) -> Iterator[list[Any]]:
    columns = (
        venues.venue_id,
        venues.conversion,
        venues.price_range,
        venues.rating,
        venues.popularity,
        venues.retention,
    )
    for row in zip(*(column[:VENUES] for column in columns), strict=True):
        yield ["" if np.isnan(value) else value for value in row]


def _session(rng: np.random.Generator, venues: Venues) -> Iterator[list[Any]]:
    """The rows of one session: one list or several, each in the order of the task's ranker."""
    session_id = str(uuid.UUID(bytes=rng.bytes(16), version=4))
    if rng.random() < 0.3:
        session_id = session_id.upper()
    venue, position = _lists(rng, venues)
    is_new = rng.random() < 0.0093
    again = (rng.random(len(venue)) < 0.0636) & (not is_new)
    recommended = rng.random(len(venue)) < 0.024
    drive = venues.appeal[venue] + 4.0 * again + 1.0 * recommended + rng.gumbel(size=len(venue))
    purchased = np.zeros(len(venue), dtype=bool)
    purchased[np.argsort(-drive)[: _purchases(rng)]] = True
    seen = rng.random(len(venue)) < np.where(purchased, 0.9, 0.07)
    unknown = rng.random(len(venue)) < 0.0102
    for i in range(len(venue)):
        flags = [_spelled(rng, bool(flag)) for flag in (is_new, again[i], recommended[i])]
        has_seen = "" if unknown[i] else _spelled(rng, bool(seen[i]))
        row = [bool(purchased[i]), session_id, position[i], venues.venue_id[venue[i]], has_seen, *flags]
        yield row
        if rng.random() < 0.01:
            yield row


def _purchases(rng: np.random.Generator) -> int:
    weights = np.array([sessions for _, sessions in PURCHASES], dtype=np.float64)
    return int(rng.choice([count for count, _ in PURCHASES], p=weights / weights.sum()))


def _lists(rng: np.random.Generator, venues: Venues) -> tuple[Integers, Integers]:
    """(venue index, position) of the session's lists, one list after another, at most MAX_ROWS rows."""
    length = MIN_LENGTH + int((MAX_LENGTH - MIN_LENGTH) * rng.beta(0.6, 0.75))
    lists = 1 + (int(rng.integers(1, 5)) if rng.random() < 0.04 else 0)
    parts = []
    for _ in range(lists):
        venue = rng.choice(len(venues.venue_id), size=length, replace=False)
        parts.append(venue[np.argsort(-venues.appeal[venue] - rng.normal(scale=2.0, size=length))])
    position = np.tile(np.arange(length), lists)
    return np.concatenate(parts)[:MAX_ROWS], position[:MAX_ROWS]


def _spelled(rng: np.random.Generator, flag: bool) -> str:
    """``True`` or ``False``; one of two hundred is in lower case."""
    if rng.random() < 0.005:
        return "true" if flag else "false"
    return str(flag)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m feature_repo.datasets.samples.sessions_venues", description=__doc__
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for sessions.csv and venues.csv")
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args(argv)
    if arguments.sessions < 1:
        parser.error("--sessions must be at least 1")
    write_sample(arguments.out, arguments.sessions, arguments.seed)
    print(f"wrote {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
