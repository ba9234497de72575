"""The straightforward stack, as a server of its own: ``python -m benchmarks.recommend.servers --port N``.

FastAPI with a response model; candidates from implicit's ALS by its own ``recommend``, fitted when the server starts on
all orders of the log; their features from Feast's SDK, one call per entity; the same derived features; LightGBM's
Python package with the trees of the registered model. Of the sources' columns it has those of ALS; the others are NaN,
which costs the trees the same.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from implicit.cpu.als import AlternatingLeastSquares
from pydantic import BaseModel
from scipy.sparse import csr_matrix

from feature_repo.candidates.stage_two_features import recommend_matrix
from feature_repo.candidates.union import Sources
from feature_repo.store import open_store
from infra.clock import epoch_us, open_clock
from infra.command import command_settings
from infra.models.model_store import ModelStore
from infra.settings import Settings
from serving.features.feast_reader import FeastReader
from serving.features.reading import Keys
from serving.score.registered_model import declaration_in
from training.candidates.known_log import open_known_log

FACTORS, ITERATIONS, SEED = 64, 15, 7


class Recommended(BaseModel):
    item_id: str
    score: float


class Answer(BaseModel):
    request_id: str
    items: list[Recommended]


class Implicit:
    """implicit's model of all orders before ``known_at``."""

    def __init__(self, settings: Settings, known_at: datetime) -> None:
        with open_known_log(settings, known_at) as log:
            orders = log.connection.execute(
                "SELECT user_id, code, count(*) AS orders FROM known_events WHERE action = 'order' GROUP BY ALL"
            ).fetchnumpy()
            self.codes = log.codes
        users, rows = np.unique(orders["user_id"].astype(str), return_inverse=True)
        self.rows = {user: row for row, user in enumerate(users.tolist())}
        shape = (len(users), len(self.codes))
        self.orders = csr_matrix((orders["orders"].astype(np.float32), (rows, orders["code"])), shape=shape)
        self.model = AlternatingLeastSquares(factors=FACTORS, iterations=ITERATIONS, random_state=SEED)
        self.model.fit(self.orders, show_progress=False)

    def recommend(self, user_id: str, k: int) -> tuple[list[str], Any]:
        """Raises KeyError for an unknown user."""
        row = self.rows[user_id]
        items, scores = self.model.recommend(row, self.orders[row], N=k, filter_already_liked_items=False)
        return self.codes.decode(items), scores


def app() -> FastAPI:
    settings = command_settings()
    model, sources = ModelStore(settings, settings.recommend_name).load_with(_read_sources)
    declaration = declaration_in(model)
    reader = FeastReader(open_store(settings, offline=False), declaration)
    clock = open_clock(settings)
    als = Implicit(settings, clock.now())
    column = 2 * sources.names.index("als") if "als" in sources.names else None
    found = FastAPI()

    @found.get("/recommend/{user_id}", response_model=Answer)
    def recommend(user_id: str, request: Request, k: int = 25) -> Answer:
        ids, als_scores = als.recommend(user_id, sources.limit)
        slate = reader.read(Keys(user_id, None, ids, epoch_us(clock.now()))).slate
        columns = np.full((len(ids), len(sources.features)), np.nan, np.float32)
        if column is not None:
            columns[:, column], columns[:, column + 1] = als_scores, np.arange(len(ids))
        scores = model.ranker.score(recommend_matrix(slate, declaration, columns, model.ranker.vocabulary))
        best = np.argsort(-scores, kind="stable")[:k]
        items = [Recommended(item_id=ids[i], score=float(scores[i])) for i in best]
        return Answer(request_id=uuid.uuid4().hex, items=items)

    @found.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return found


def _read_sources(folder: Path) -> Sources:
    return Sources.load(folder / "sources")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recommend.servers", description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    uvicorn.run(
        "benchmarks.recommend.servers:app", factory=True, port=arguments.port, log_config=None, access_log=False
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
