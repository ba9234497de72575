"""Fits the sources of a data set's parameters on what was known at a timestamp."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from feature_repo.candidates.source import Source
from feature_repo.candidates.union import Sources
from feature_repo.datasets.declarations.built_in import declaration_of
from infra.progress import step
from infra.settings import Settings
from training.candidates.known_log import KnownLog, open_known_log
from training.candidates.sources import (
    als,
    buy_again,
    covisitation,
    nearest_titles,
    next_item,
    own_history,
    similar_users,
    trending,
)

Params = Mapping[str, Any]
Fit = Callable[[KnownLog, Params], Source | None]
"""Fits one source with its parameters. None: the data set has nothing for it, such as vectors."""

FITS: Mapping[str, Fit] = {
    "own_history": own_history.fit,
    "buy_again": buy_again.fit,
    "covisitation": covisitation.fit,
    "similar_users": similar_users.fit,
    "als": als.fit,
    "next_item": next_item.fit,
    "nearest_titles": nearest_titles.fit,
    "trending": trending.fit,
}


class BadSources(ValueError):
    """The parameters name a source or a value that does not exist."""


def fit_sources(settings: Settings, params: Params, known_at: datetime) -> Sources:
    """``params``: the section ``recommend``. Raises BadSources or DatasetError."""
    declaration = declaration_of(settings)
    wanted = _wanted(params["sources"])
    fitted: list[Source] = []
    with open_known_log(settings, known_at, tuple(column.name for column in declaration.context)) as log:
        for name, each in wanted.items():
            with step(f"source {name}"):
                source = _fit(name, log, each)
            if source is None:
                print(f"  source {name}: nothing to fit it on", file=sys.stderr)
            else:
                fitted.append(source)
        return Sources(
            codes=log.codes,
            sources=tuple(fitted),
            sizes={source.name: int(wanted[source.name]["candidates"]) for source in fitted},
            limit=int(params["candidates"]),
            known_at_us=log.known_at_us,
        )


def _wanted(sources: Mapping[str, Params]) -> dict[str, Params]:
    """Those that are on, with their parameters. Raises BadSources."""
    unknown = sorted(sources.keys() - FITS.keys())
    if unknown:
        raise BadSources(f"params.yaml, recommend.sources: unknown {unknown}; there are {sorted(FITS)}")
    for name, each in sources.items():
        size = each.get("candidates")
        if not isinstance(size, int) or size < 0:
            raise BadSources(f"params.yaml, recommend.sources.{name}: candidates is {size!r}, not a number from 0")
    return {name: each for name, each in sources.items() if each["candidates"] > 0}


def _fit(name: str, log: KnownLog, params: Params) -> Source | None:
    """Raises BadSources, DatasetError."""
    try:
        return FITS[name](log, params)
    except KeyError as error:
        raise BadSources(f"params.yaml, recommend.sources.{name}: {error} is missing") from error
    except (TypeError, ValueError) as error:
        raise BadSources(f"params.yaml, recommend.sources.{name}: {error}") from error
