"""What ``/score`` is measured against, as servers of their own.

    python -m benchmarks.online.servers {naive,floor} --port N [--workers N]

*naive* is the straightforward stack: FastAPI with a request and a response model, Feast's SDK (one call per entity,
not per candidate), the same derived features, LightGBM's Python package. *floor* does what no scorer can leave out,
and nothing else: it parses the same body with the same parser, runs the compiled trees on a matrix that is ready,
and writes as many ids and scores.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from itertools import cycle

import numpy as np
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from feature_repo.model_features import feature_matrix
from feature_repo.store import open_store
from infra.clock import epoch_us, open_clock
from infra.command import command_settings
from infra.limits import MAX_ITEMS
from infra.models.model_store import ModelStore
from infra.models.trees.compiled_trees import CompiledRanker, compiled
from infra.settings import Settings
from serving.features.feast_reader import FeastReader
from serving.features.reading import Keys
from serving.score.registered_model import declaration_in
from serving.score.score_parser import ScoreRequest, parse
from serving.score.scorer import with_request

START_S = 120  # until a worker has loaded its modules


class Item(BaseModel):
    item_id: str
    features: dict[str, float | None] = {}


class Asked(BaseModel):
    user_id: str | None = None
    session_id: str | None = None
    context: dict[str, str | None] = {}
    items: list[Item]


class Scored(BaseModel):
    item_id: str
    score: float


class Answer(BaseModel):
    request_id: str
    items: list[Scored]


def naive_app(settings: Settings) -> FastAPI:
    model = ModelStore(settings).load()
    declaration = declaration_in(model)
    reader = FeastReader(open_store(settings, offline=False), declaration)
    clock = open_clock(settings)
    app = FastAPI()

    @app.post("/score", response_model=Answer)
    def score(asked: Asked) -> Answer:
        ids = [item.item_id for item in asked.items]
        slate = reader.read(Keys(asked.user_id, asked.session_id, ids, epoch_us(clock.now()))).slate
        slate = with_request(slate, ScoreRequest(ids, slate.positions, context=asked.context), declaration)
        matrix = feature_matrix(slate, declaration, model.ranker.vocabulary)
        scores = model.ranker.score(matrix)
        order = np.argsort(-scores, kind="stable")
        items = [Scored(item_id=ids[i], score=float(scores[i])) for i in order]
        return Answer(request_id=uuid.uuid4().hex, items=items)

    return app


def floor_app(settings: Settings) -> FastAPI:
    model = ModelStore(settings).load()
    ranker, engine = compiled(model.ranker, model.rows)
    if not isinstance(ranker, CompiledRanker):
        raise SystemExit(f"the floor needs compiled trees: {engine.reason}")
    assert model.rows is not None
    rows = len(model.rows.matrix)
    matrix = np.resize(model.rows.matrix, (rows + MAX_ITEMS, model.rows.matrix.shape[1]))
    starts = cycle(range(0, rows, 97))  # other rows each time, as they are for a scorer
    app = FastAPI()

    @app.post("/score", response_class=Response)
    async def score(request: Request) -> Response:
        ids = parse(await request.body()).item_ids
        start = next(starts)
        scores = ranker.score(matrix[start : start + len(ids)]).tolist()
        items = [{"item_id": item, "score": score} for item, score in zip(ids, scores, strict=True)]
        return Response(orjson.dumps({"items": items}), media_type="application/json")

    return app


def naive() -> FastAPI:
    return with_health(naive_app(command_settings()))


def floor() -> FastAPI:
    return with_health(floor_app(command_settings()))


def with_health(app: FastAPI) -> FastAPI:
    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.online.servers", description=__doc__.split("\n")[0])
    parser.add_argument("app", choices=(naive.__name__, floor.__name__))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    uvicorn.run(
        f"benchmarks.online.servers:{arguments.app}",
        factory=True,
        port=arguments.port,
        workers=arguments.workers,
        log_config=None,
        access_log=False,
        timeout_worker_healthcheck=START_S,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
