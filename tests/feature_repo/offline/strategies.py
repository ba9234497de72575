"""Hypothesis strategies for retrievals. Keys and times are few, so that ties, expiries and duplicates are common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.feature_repo.offline.cases import EXTRAS, KEY_KINDS, ROLES, Case, Frame, Storage, Use, View
from tests.feature_repo.offline.oracle import CREATED, EVENT
from tests.feature_repo.offline.source_files import LAYOUTS, TIMESTAMPS
from tests.feature_repo.offline.value_types import EPOCH, VALUE_TYPES

HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
# The hours before a change to and from summer time; the epoch; the last year that fits into nanoseconds.
BASES = (
    datetime(2024, 3, 31, tzinfo=UTC),
    datetime(2024, 11, 3, 4, tzinfo=UTC),
    EPOCH - 2 * HOUR,
    datetime(2262, 1, 1, tzinfo=UTC),
)
OFFSETS = [hours * HOUR + ticks * TICK for hours in range(5) for ticks in (0, 0, 0, 1, -1)]
CREATED_AFTER = [timedelta(0), timedelta(0), TICK, HOUR, 3 * HOUR, -HOUR, None]
TTLS = [None, timedelta(0), HOUR, HOUR, 2 * HOUR, TICK, HOUR + TICK, timedelta(days=400)]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "+05:45", None]
KEY_VALUES: dict[str, Sequence[Any]] = {
    "string": ["a", "b", "1", "11", "", "\u00e4'\n"],
    "int64": [1, 11, -1, 2**53, 2**53 + 1],
}
VIEW_KEYS = [("shop",), ("shop",), ("aisle",), ("shop", "aisle"), ("shop", "aisle"), ("city", "shop"), ()]


@st.composite
def cases(draw: st.DrawFn, *, max_views: int = 3, known_at: bool = True) -> Case:
    base = draw(st.sampled_from(BASES))
    pools = {
        kind: draw(st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True))
        for kind, values in KEY_VALUES.items()
    }
    full_names = draw(st.booleans())
    count = draw(st.integers(1, max_views))
    made = [draw(views(f"v{i}", "" if full_names else f"v{i} ", base, pools)) for i in range(count)]
    uses = [draw(projections(view)) for view in made]
    if full_names and draw(st.booleans()):
        uses.append(draw(projections(made[0], alias="again")))
    known = draw(st.sampled_from([None, "at", "scored", "both"])) if known_at else None
    return Case(
        uses=tuple(uses),
        frame=draw(frames(base, pools)),
        full_names=full_names,
        known_at=base + draw(st.sampled_from(OFFSETS)) if known in ("at", "both") else None,
        known_when_scored=known in ("scored", "both"),
        rows_per_chunk=draw(st.sampled_from([1_000_000, 1, 3])),
    )


@st.composite
def views(draw: st.DrawFn, name: str, prefix: str, base: datetime, pools: Mapping[str, Sequence[Any]]) -> View:
    keys = draw(st.sampled_from(VIEW_KEYS))
    chosen = draw(st.lists(st.sampled_from(sorted(VALUE_TYPES)), min_size=1, max_size=3))
    kinds = {f"{prefix}f{i}": kind for i, kind in enumerate(chosen)}
    has_created = draw(st.integers(0, 3)) > 0
    key_values = [_mostly(st.sampled_from(pools[KEY_KINDS[key]])) for key in keys]
    raw = draw(
        st.lists(
            st.tuples(
                st.tuples(*key_values),
                _mostly(st.sampled_from(OFFSETS)),
                st.sampled_from(CREATED_AFTER),
                st.integers(0, 9),
            ),
            min_size=draw(st.sampled_from([5, 3, 0])),
            max_size=8,
        )
    )
    rows = [
        {
            **dict(zip(keys, values, strict=True)),
            EVENT: None if after is None else base + after,
            CREATED: None if after is None or lag is None else base + after + lag,
            **{feature: _value(kind, n, mood + i) for i, (feature, kind) in enumerate(kinds.items())},
        }
        for n, (values, after, lag, mood) in enumerate(raw)
    ]
    rows = _unambiguous(rows, [*keys, EVENT, *([CREATED] if has_created else [])], kinds)
    columns = [*keys, EVENT, *([CREATED] if has_created else []), *kinds]
    return View(
        name=name,
        keys=keys,
        kinds=kinds,
        rows=rows,
        has_created=has_created,
        ttl=draw(st.sampled_from(TTLS)),
        storage=draw(storages(len(rows), columns)),
    )


def _mostly(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The values, sometimes null."""
    return st.integers(0, 15).flatmap(lambda n: values if n < 15 else st.none())


def _value(kind: str, number: int, mood: int) -> Any:
    """Mostly a value that identifies its row; sometimes null or a corner case."""
    odd = VALUE_TYPES[kind].odd
    if mood % 10 == 7:
        return None
    return odd[number % len(odd)] if mood % 10 == 9 else VALUE_TYPES[kind].own(number)


def _unambiguous(rows: list[dict[str, Any]], version: list[str], kinds: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of the same version get equal values, because no store can know which of them is the newest."""
    first: dict[Any, dict[str, Any]] = {}
    found = []
    for row in rows:
        same = first.setdefault(tuple(row[name] for name in version), row)
        found.append(row | {name: same[name] for name in kinds})
    return found


@st.composite
def storages(draw: st.DrawFn, count: int, columns: Sequence[str]) -> Storage:
    layout = draw(st.sampled_from(LAYOUTS))
    files = 1 if layout == "file" else draw(st.integers(1, 3))
    renamed = draw(st.sampled_from([(), (), columns[:1], columns[-1:], columns]))
    return Storage(
        layout=layout,
        files=files,
        parts=tuple(draw(st.lists(st.integers(0, files - 1), min_size=count, max_size=count))),
        order=tuple(draw(st.permutations(range(count)))),
        timestamp=draw(st.sampled_from(sorted(TIMESTAMPS))),
        renamed={name: f"raw_{name}" for name in renamed},
    )


@st.composite
def projections(draw: st.DrawFn, view: View, alias: str | None = None) -> Use:
    features = draw(st.lists(st.sampled_from(sorted(view.kinds)), min_size=1, unique=True))
    return Use(
        view=view,
        features=tuple(features),
        alias=alias or draw(st.sampled_from([None, None, f"{view.name} as seen"])),
        key_map={key: role for role, key in ROLES.items() if key in view.keys} if draw(st.booleans()) else {},
    )


@st.composite
def frames(draw: st.DrawFn, base: datetime, pools: Mapping[str, Sequence[Any]]) -> Frame:
    kinds = {**KEY_KINDS, **{role: KEY_KINDS[key] for role, key in ROLES.items()}}
    extras = draw(st.sampled_from([(), ("note",), ("label", "note"), ("tags",)]))
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from(OFFSETS),
                st.tuples(*(_mostly(st.sampled_from(pools[kind])) for kind in kinds.values())),
            ),
            min_size=draw(st.sampled_from([4, 4, 4, 0])),
            max_size=8,
        )
    )
    repeated = draw(st.lists(st.sampled_from(range(len(drawn))), max_size=3)) if drawn else []
    drawn += [drawn[i] for i in repeated]
    rows = [
        {**dict(zip(kinds, keys, strict=True)), **{name: _value(EXTRAS[name], n, n) for name in extras}}
        for n, (_, keys) in enumerate(drawn)
    ]
    return Frame(
        rows=[row | {name: rows[0][name] for name in extras} if i % 2 else row for i, row in enumerate(rows)],
        timestamps=[base + after for after, _ in drawn],
        kinds=kinds | {name: EXTRAS[name] for name in extras},
        zone=draw(st.sampled_from(ZONES)),
        unit=draw(st.sampled_from(["us", "ns"])),
        form=draw(st.sampled_from(["pandas", "pandas", "arrow", "dictionary", "sql"])),
        timestamp=draw(st.sampled_from(["event_timestamp", "event_timestamp", "scored_at"])),
    )
