"""What a request reads, and what it gets: the types that all readers share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from feature_repo.definitions.view import View
from feature_repo.definitions.views import ITEM_COMPANIONS, views
from feature_repo.schema import Declaration
from feature_repo.slate import Slate, column_array


class StoreAway(RuntimeError):
    """The online store cannot be read, or not in time; the message says why."""


@dataclass(frozen=True)
class Keys:
    """Whose features to read, and the time they are read for. None is an unknown user or session.

    ``positions``: id -> its position in ``item_ids``, where it is already known. ``service_us``: makes the service's
    time of the store's clock, both µs since the epoch. With it, user and session are read for the time at which the
    store reads them, and ``scored_us`` holds where neither is known; see ``Reading.slate.scored_us``. ``context``: what
    the caller sent for the whole request; views may be keyed by it.
    """

    user_id: str | None
    session_id: str | None
    item_ids: Sequence[str]
    scored_us: int
    positions: Mapping[str, int] = field(default_factory=dict)
    service_us: Callable[[int], int] | None = None
    context: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Missing:
    """``items``: candidates without a valid row in any item view; ``user``, ``session``: no valid row at all.

    An entity with a row from the future (:func:`serving.ttl.is_ahead`) counts as missing, too.
    """

    items: int
    user: bool
    session: bool


@dataclass(frozen=True)
class Reading:
    """A slate with its stored features, as of ``slate.scored_us``. Facts and context are empty: the store has none.

    ``event_us``: view -> the event timestamp of each row that was read, valid or not, µs since the epoch, 0 where
    there is none: (n,) in the order of the candidates, of the cart for companions, (1,) for user and session views.
    """

    slate: Slate
    missing: Missing
    event_us: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)


def item_views(declaration: Declaration) -> tuple[View, ...]:
    """The views that are read for every candidate."""
    return tuple(v for v in views(declaration) if v.entity == "item" and v.name != ITEM_COMPANIONS.name)


def unread(keys: Keys, declaration: Declaration) -> Reading:
    """The reading when the store is away: everything is missing."""
    nothing = [None] * len(keys.item_ids)
    items = {c.name: column_array(nothing, c.dtype) for view in item_views(declaration) for c in view.columns}
    slate = Slate(scored_us=keys.scored_us, item_ids=keys.item_ids, items=items)
    return Reading(slate, Missing(items=len(keys.item_ids), user=True, session=True))
