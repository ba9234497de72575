"""One retrieval as data: feature views with their source rows, and the entity rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.feature_repo.offline import oracle

KEY_KINDS = {"shop": "string", "aisle": "int64", "city": "string"}
ROLES = {"other_shop": "shop", "other_aisle": "aisle"}  # a frame's column for a second use of a key
EXTRAS = {"note": "string", "label": "int32", "tags": "strings"}


@dataclass(frozen=True)
class Storage:
    """How the rows of a view are stored in files.

    ``layout``: file, folder, nested, glob or hive. ``files``: number of files. ``parts``: the file of each row.
    ``order``: the order in which rows are written. ``renamed``: Feast's name -> name in the files.
    """

    layout: str = "file"
    files: int = 1
    parts: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    timestamp: str = "utc"
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """``kinds``: feature -> value type. ``rows``: join keys, EVENT, CREATED and features of each source row."""

    name: str
    keys: tuple[str, ...]
    kinds: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    has_created: bool = True
    ttl: timedelta | None = None
    storage: Storage = field(default_factory=Storage)


@dataclass(frozen=True)
class Use:
    """A view in a retrieval: some of its features, perhaps under another name or joined by other columns."""

    view: View
    features: tuple[str, ...]
    alias: str | None = None
    key_map: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.alias or self.view.name

    @property
    def references(self) -> list[str]:
        return [f"{self.name}:{feature}" for feature in self.features]

    def columns(self, full_names: bool) -> dict[str, str]:
        """Output name -> feature."""
        prefix = f"{self.name}__" if full_names else ""
        return {f"{prefix}{feature}": feature for feature in self.features}


@dataclass(frozen=True)
class Frame:
    """Entity rows. ``zone`` None: naive. ``form``: pandas, arrow, dictionary (Arrow, text as dictionary) or sql."""

    rows: Sequence[Mapping[str, Any]]
    timestamps: Sequence[datetime]
    kinds: Mapping[str, str]
    zone: str | None = "UTC"
    unit: str = "us"
    form: str = "pandas"
    timestamp: str = "event_timestamp"


@dataclass(frozen=True)
class Case:
    uses: tuple[Use, ...]
    frame: Frame
    full_names: bool = False
    known_at: datetime | None = None
    known_when_scored: bool = False
    rows_per_chunk: int = 1_000_000

    @property
    def feature_kinds(self) -> dict[str, str]:
        """Output name -> value type, in the order of the result's columns."""
        return {
            name: use.view.kinds[feature] for use in self.uses for name, feature in use.columns(self.full_names).items()
        }

    def expected(self) -> list[dict[str, Any]]:
        views = [
            oracle.OracleView(
                rows=use.view.rows,
                keys={use.key_map.get(key, key): key for key in use.view.keys},
                features=use.columns(self.full_names),
                has_created=use.view.has_created,
                ttl=use.view.ttl,
            )
            for use in self.uses
        ]
        rows = [
            {**row, self.frame.timestamp: timestamp}
            for row, timestamp in zip(self.frame.rows, self.frame.timestamps, strict=True)
        ]
        return oracle.joined(rows, self.frame.timestamps, views, self.known_at, self.known_when_scored)
