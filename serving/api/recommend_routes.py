"""The endpoints that find the items themselves."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import Response
from starlette.background import BackgroundTask
from starlette.requests import Request

from infra.limits import MAX_K, MAX_TEXT_LENGTH
from infra.settings import Settings
from serving.api import openapi
from serving.api.answers import ErrorAnswer
from serving.api.endpoint import Documented, Endpoint
from serving.api.http_input import JSON, json_body
from serving.api.middleware.admission import Admission
from serving.errors import InvalidRequest, Problem
from serving.metrics import Metrics
from serving.recommend.answers import RecommendAnswer, SimilarAnswer
from serving.recommend.recommend_parser import parse_k, parse_query, parse_recommend
from serving.recommend.recommender import Recommended, Recommender
from serving.recommend.service import RecommendModel
from serving.recommend.similar import Similar

_NO_MODEL: Documented = {
    503: {"model": ErrorAnswer, "description": "No model of `training.stage_two`, or too many requests"}
}
_BAD_QUERY: Documented = {
    422: {"model": ErrorAnswer, "description": "An id or a parameter is not of this form; each has its location"}
}


def recommend_endpoints(
    settings: Settings, model: RecommendModel, metrics: Metrics, admission: Admission, bad_body: Documented
) -> list[Endpoint]:
    """``admission``: of all requests for recommendations together. ``bad_body``: the answers to a bad body."""

    def answered(recommender: Recommender, done: Recommended) -> Response:
        with metrics.recommend_stage("write"):
            content = orjson.dumps(done.answer)

        async def record() -> None:  # on the event loop: a plain function would run on a thread
            recommender.record(done)

        return Response(content, media_type=JSON, background=BackgroundTask(record))

    async def recommend(request: Request) -> Response:
        body = await json_body(request)
        async with admission.slot(request.state.deadline):
            recommender = model.get()
            return answered(recommender, await recommender.recommend(parse_recommend(body), request.state.deadline))

    recommend.__doc__ = f"""The up to {MAX_K} best items for this person, in this session, now.

    The candidates come from the sources of the model, and the shop's rules apply. Unknown users get what the sources
    have for everybody.
    """

    async def recommend_to(request: Request) -> Response:
        """The same for a user, without filters. The data set's context is sent as further query parameters."""
        async with admission.slot(request.state.deadline):
            recommender = model.get()
            asked = parse_query(_id(request, "user_id"), request.query_params.multi_items(), recommender.context_names)
            return answered(recommender, await recommender.recommend(asked, request.state.deadline))

    async def similar(request: Request) -> Response:
        """The items that are most like one item. An item without neighbours gets trending ones of its category."""
        async with admission.slot(request.state.deadline):
            recommender = model.get()
            k = parse_k(request.query_params.multi_items())
            found = await Similar(recommender).similar(_id(request, "item_id"), k, request.state.deadline)
            return Response(orjson.dumps(found), media_type=JSON)

    return [
        Endpoint(
            "POST",
            "/recommend",
            recommend,
            admission,
            answers={200: {"model": RecommendAnswer}, **bad_body, **_NO_MODEL},
            extra={"requestBody": openapi.RECOMMEND_BODY, "parameters": [openapi.DEADLINE_HEADER]},
        ),
        Endpoint(
            "GET",
            openapi.RECOMMEND_TO,
            recommend_to,
            admission,
            answers={200: {"model": RecommendAnswer}, **_BAD_QUERY, **_NO_MODEL},
            extra={
                "parameters": [
                    _in_path("user_id"),
                    _in_query("k", _K),
                    _in_query("session_id", openapi.TEXT),
                    openapi.DEADLINE_HEADER,
                ]
            },
        ),
        Endpoint(
            "GET",
            "/similar/{item_id}",
            similar,
            admission,
            answers={
                200: {"model": SimilarAnswer},
                404: {"model": ErrorAnswer, "description": "Neither the sources nor the feature store know the item"},
                **_BAD_QUERY,
                **_NO_MODEL,
            },
            extra={"parameters": [_in_path("item_id"), _in_query("k", _K), openapi.DEADLINE_HEADER]},
        ),
    ]


_K: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": 25}


def _id(request: Request, name: str) -> str:
    """Raises InvalidRequest."""
    value: str = request.path_params[name]
    if not 1 <= len(value) <= MAX_TEXT_LENGTH or "\0" in value:
        raise InvalidRequest(
            [Problem(("path", name), f"must have 1 to {MAX_TEXT_LENGTH} characters, none of them NUL")]
        )
    return value


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": openapi.TEXT}


def _in_query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}
