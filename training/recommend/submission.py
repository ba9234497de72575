"""A submission: users, and the items recommended to each.

As a table: ``user_id`` (string) and ``product_ids`` (list of strings), one row per user, the best item of a user first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infra.models.arrays import Doubles
from training.recommend.errors import BadSubmission

SCHEMA = pa.schema([pa.field("user_id", pa.string(), False), pa.field("product_ids", pa.list_(pa.string()), False)])


@dataclass(frozen=True)
class Submission:
    """n users with k items each, the user with the highest expected recall first.

    users:  (n,) ids, each once
    items:  n lists of k ids, each once per user
    scores: (n, k) of the ranker, NaN for an item that only fills the list; None where a file was read

    Raises BadSubmission.
    """

    users: Sequence[str]
    items: Sequence[Sequence[str]]
    scores: Doubles | None = None

    def __post_init__(self) -> None:
        if len(self.users) != len(self.items):
            raise BadSubmission(f"{len(self.users)} users, but {len(self.items)} lists")
        repeated = _first_repeated(self.users)
        if repeated is not None:
            raise BadSubmission(f"user {repeated!r} is there twice: a submission has one row per user")
        for user, listed in zip(self.users, self.items, strict=True):
            repeated = _first_repeated(listed)
            if repeated is not None:
                raise BadSubmission(f"the list of user {user!r} holds {repeated!r} twice")

    def __len__(self) -> int:
        return len(self.users)

    def check(self, users: int, k: int) -> None:
        """Raises BadSubmission for more than ``users`` users or a list of other than ``k`` items."""
        if len(self) > users:
            raise BadSubmission(f"{len(self)} users: at most {users} are allowed")
        for user, listed in zip(self.users, self.items, strict=True):
            if len(listed) != k:
                raise BadSubmission(f"the list of user {user!r} holds {len(listed)} items, not {k}")

    def table(self) -> pa.Table:
        return pa.table(
            {"user_id": pa.array(self.users, pa.string()), "product_ids": pa.array(self.items, pa.list_(pa.string()))},
            schema=SCHEMA,
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        """One per recommended item: user_id, rank (from 1), item_id, score (None where there is none)."""
        scores = np.full((len(self), 1), np.nan) if self.scores is None else self.scores
        for user, listed, found in zip(self.users, self.items, scores, strict=True):
            for position, item in enumerate(listed):
                score = float(found[position]) if position < len(found) else float("nan")
                yield {
                    "user_id": user,
                    "rank": position + 1,
                    "item_id": item,
                    "score": None if np.isnan(score) else score,
                }

    @staticmethod
    def of_table(table: pa.Table) -> Submission:
        """Raises BadSubmission for other columns, for nulls, and as the class does."""
        if set(SCHEMA.names) - set(table.column_names):
            raise BadSubmission(f"columns {', '.join(SCHEMA.names)} are needed; there are {table.column_names}")
        users, items = table["user_id"].to_pylist(), table["product_ids"].to_pylist()
        if any(user is None for user in users) or any(each is None or None in each for each in items):
            raise BadSubmission("a user or an item is null")
        return Submission([str(user) for user in users], [[str(item) for item in each] for each in items])


def picked(submission: Submission, chosen: npt.NDArray[np.int64]) -> Submission:
    """The users at these positions, in this order."""
    return Submission(
        [submission.users[i] for i in chosen],
        [submission.items[i] for i in chosen],
        None if submission.scores is None else submission.scores[chosen],
    )


def _first_repeated(values: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
