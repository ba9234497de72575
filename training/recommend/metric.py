"""The task's metric: recall per buyer.

    mean over all who bought in the window of |bought & recommended| / |bought|

``bought`` are the distinct items that the buyer ordered in the window. A buyer who is not among the submission's users
counts with 0; a user of the submission who bought nothing does not count.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from infra.models.arrays import Doubles
from training.recommend.submission import Submission


def bought_items(bought: pa.Table) -> dict[str, set[str]]:
    """Buyer -> distinct items, of (user_id, item_id), in the order of the users' first rows."""
    found: dict[str, set[str]] = {}
    for user, item in zip(bought["user_id"].to_pylist(), bought["item_id"].to_pylist(), strict=True):
        found.setdefault(user, set()).add(item)
    return found


def recalls(submission: Submission, bought: Mapping[str, set[str]], users: int, k: int) -> Doubles:
    """(b,) of the b buyers, in the order of ``bought``.

    Raises BadSubmission for more than ``users`` users or a list of other than ``k`` items.
    """
    submission.check(users, k)
    listed = {user: set(items) for user, items in zip(submission.users, submission.items, strict=True)}
    nothing: set[str] = set()
    return np.array([len(items & listed.get(user, nothing)) / len(items) for user, items in bought.items()], np.float64)


def mean_recall(submission: Submission, bought: Mapping[str, set[str]], users: int, k: int) -> float:
    """NaN if nobody bought. Raises BadSubmission."""
    found = recalls(submission, bought, users, k)
    return float(found.mean()) if len(found) else float("nan")
