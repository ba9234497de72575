"""The OpenAPI document: made by FastAPI, with the bodies of requests and the names that the model in service knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from feature_repo.model_features import model_features
from feature_repo.schema import Column, Declaration
from infra.limits import MAX_DEADLINE_MS, MAX_TEXT_LENGTH
from infra.models.model_contract import CATEGORY
from serving.api.endpoint import Endpoint
from serving.api.http_input import DEADLINE
from serving.events.event_schema import events_schemas
from serving.events.item_schema import items_schemas
from serving.recommend.recommend_schema import ExplainRecommendRequest
from serving.score.score_schema import ExplainRequest, ScoreRequest

RECOMMEND_TO = "/recommend/{user_id}"
_REF = "#/components/schemas/{model}"


def _body(*models: str) -> dict[str, Any]:
    """Of one of ``models``."""
    schemas = [{"$ref": _REF.format(model=model)} for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


SCORE_BODY, EVENTS_BODY = _body("ScoreRequest"), _body("EventsBody")
ITEMS_BODY = _body("ItemsBody")
RECOMMEND_BODY = _body("RecommendRequest")
EXPLAIN_BODY = _body("ExplainRequest", "ExplainRecommendRequest")
TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH, "pattern": r"^[^\x00]*$"}
DEADLINE_HEADER = {
    "name": DEADLINE,
    "in": "header",
    "description": "Time for this request in milliseconds, from its arrival; without the header, the scorer's setting. "
    "If the store does not answer in time, all stored features are missing and the answer is degraded.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MAX_DEADLINE_MS},
}


def document(app: FastAPI, endpoints: Sequence[Endpoint], declaration: Declaration | None) -> dict[str, Any]:
    """``declaration``: of the model in service; None leaves the names open."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=[endpoint.documentation for endpoint in endpoints],
    )
    for schema in (ScoreRequest, ExplainRequest):
        body = schema.model_json_schema(ref_template=_REF)
        parts = body.pop("$defs")
        if declaration is not None:
            _name_features(parts["Candidate"]["properties"]["features"], declaration)
            _name_context(body["properties"]["context"], declaration)
        found["components"]["schemas"] |= {**parts, schema.__name__: body}
    body = ExplainRecommendRequest.model_json_schema(ref_template=_REF)
    parts = body.pop("$defs")
    if declaration is not None:
        _name_context(parts["RecommendRequest"]["properties"]["context"], declaration)
        found["paths"][RECOMMEND_TO]["get"]["parameters"] += [_context_parameter(each) for each in declaration.context]
    found["components"]["schemas"] |= {**parts, ExplainRecommendRequest.__name__: body}
    ref = _REF.replace("{model}", "{name}")
    found["components"]["schemas"] |= {**events_schemas(ref), **items_schemas(ref, declaration or Declaration("", ""))}
    return found


def _name_features(schema: dict[str, Any], declaration: Declaration) -> None:
    value = _value_schema(schema)
    schema["properties"] = {
        each.name: {**value, "description": f"{each.description} [{each.unit or 'none'}], from {each.source}"}
        for each in model_features(declaration)
        if each.dtype != CATEGORY
    }
    schema["additionalProperties"] = False


def _name_context(schema: dict[str, Any], declaration: Declaration) -> None:
    value = _value_schema(schema)
    schema["properties"] = {c.name: {**value, "description": c.description} for c in declaration.context}
    schema["additionalProperties"] = False


def _context_parameter(column: Column) -> dict[str, Any]:
    return {"name": column.name, "in": "query", "description": column.description, "schema": TEXT}


def _value_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Takes out the schema of a mapping's values, which pydantic writes under the pattern of the keys."""
    schema.pop("propertyNames", None)
    (value,) = schema.pop("patternProperties").values()
    return dict(value)
