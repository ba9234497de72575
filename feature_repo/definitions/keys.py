"""The keys of views that are read per candidate: a pair, an attribute of the item, or what the caller sends as context.

A join key is found by its name: ``item_id``, ``user_id``, ``session_id``, a string column of an item view, or a name of
the context. Offline and online take the keys of a candidate from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy.typing as npt

from feature_repo.definitions.view import View

Key = tuple[str, ...]
IDS = ("item_id", "user_id", "session_id")


def unknown_keys(view: View, items: Iterable[str], context: Iterable[str]) -> list[str]:
    """The join keys of ``view`` that nothing is known by. ``items``: string columns of the item views."""
    known = {*IDS, *items, *context}
    return [name for name in view.join_keys if name not in known]


def candidate_keys(
    view: View,
    *,
    item_ids: Sequence[str],
    user_id: str | None,
    session_id: str | None,
    items: Mapping[str, npt.NDArray[Any]],
    context: Mapping[str, str | None],
) -> list[Key | None]:
    """(n,) of the candidates; None where a part of the key is not known."""
    ids: Mapping[str, Iterable[str | None]] = {
        "item_id": item_ids, "user_id": repeat(user_id, len(item_ids)), "session_id": repeat(session_id, len(item_ids))
    }  # fmt: skip
    parts: list[Iterable[str | None]] = []
    for name in view.join_keys:
        if name in ids:
            parts.append(ids[name])
        elif name in items:
            parts.append(items[name].tolist())
        else:
            parts.append(repeat(context.get(name), len(item_ids)))
    return [None if any(part is None for part in key) else key for key in zip(*parts, strict=True)]
