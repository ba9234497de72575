"""The section ``recommend`` of params.yaml, for one data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Params = Mapping[str, Any]


def recommend_params(params: Params, dataset: str) -> dict[str, Any]:
    """The section with the values of ``recommend.datasets.DATASET`` over it; a list there replaces the whole list."""
    section = params["recommend"]
    own = (section.get("datasets") or {}).get(dataset) or {}
    return _merged({name: value for name, value in section.items() if name != "datasets"}, own)


def _merged(base: Params, over: Params) -> dict[str, Any]:
    found = dict(base)
    for name, value in over.items():
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = _merged(found[name], value) if both else value
    return found
