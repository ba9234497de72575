"""The lists of many users at once, at a timestamp: what ``GET /recommend`` would answer without a session and rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from feature_repo.candidates.ragged import Ragged
from feature_repo.offline.slates import PointInTimeReader
from infra.models.arrays import Doubles
from infra.models.ranker import Ranker, score_groups
from training.stage_two.candidate_lists import candidate_lists
from training.stage_two.recommender import Recommender


@dataclass(frozen=True)
class Ranked:
    """The candidates of q users, the best first.

    lists:       where the candidates of each user lie; a user without candidates has none
    user_id:     (q,) str
    item_id:     (m,) str
    score:       (m,) of the ranker; they compare within a user only
    probability: (m,) that the user orders the item in a window, given that they order
    """

    lists: Ragged
    user_id: npt.NDArray[np.object_]
    item_id: npt.NDArray[np.object_]
    score: Doubles
    probability: Doubles


def ranked(
    reader: PointInTimeReader,
    recommender: Recommender,
    at: datetime,
    user_ids: Sequence[str],
    *,
    threads: int = 1,
    ranker: Ranker | None = None,
) -> Ranked:
    """``recommender``: fitted on what was received before ``at``. ``ranker``: another ranker over the same columns.

    Raises ValueError if the sources know what was received after ``at``.
    """
    if recommender.sources.known_at_us > int(at.timestamp() * 1e6):
        raise ValueError(f"the sources know what was received after {at.isoformat()}")
    asked = pd.DataFrame(
        {
            "slate_id": user_ids,
            "user_id": user_ids,
            "session_id": "",
            "shown_ts": pd.to_datetime([at] * len(user_ids), utc=True),
            **{column.name: None for column in reader.declaration.context},
        }
    )
    lengths, items, scores = [], [], []
    texts: dict[str, str] = {}  # one object per item: with hundreds of candidates of each user they fill the memory
    ranker = ranker or recommender.ranker
    for part in candidate_lists(reader, recommender.sources, asked, ranker.vocabulary):
        filled = part.lists.lengths[part.lists.lengths > 0]
        lengths.append(part.lists.lengths)
        if not len(filled):
            continue
        score = score_groups(ranker, part.matrix, filled, threads)
        order = np.lexsort((part.lists.positions, -score, part.lists.rows))
        items.append(np.array([texts.setdefault(item, item) for item in part.item_id], object)[order])
        scores.append(score[order])
    score = np.concatenate(scores or [np.empty(0)])
    return Ranked(
        lists=Ragged.of_lengths(np.concatenate(lengths or [np.empty(0, np.int64)])),
        user_id=np.array(user_ids, object),
        item_id=np.concatenate(items or [np.empty(0, object)]),
        score=score,
        probability=recommender.scaling(score),
    )
