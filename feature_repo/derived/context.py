"""What the caller sends as context, each value hashed into a bucket."""

from __future__ import annotations

import math
import zlib

from feature_repo.definitions.view import Feature
from feature_repo.derived.family import Column, Family
from feature_repo.schema import Declaration
from feature_repo.slate import Slate

BUCKETS = 1009


def features(declaration: Declaration) -> tuple[Feature, ...]:
    return tuple(
        Feature(f"context_{column.name}", "derived", f"bucket of the caller's {column.name}", "code")
        for column in declaration.context
    )


def columns(slate: Slate, declaration: Declaration) -> dict[str, Column]:
    return {f"context_{column.name}": _bucket(slate.context.get(column.name)) for column in declaration.context}


def _bucket(value: str | None) -> float:
    return math.nan if value is None else float(zlib.crc32(value.encode()) % BUCKETS)


context = Family("context", version=1, reads=(), features=features, columns=columns)
