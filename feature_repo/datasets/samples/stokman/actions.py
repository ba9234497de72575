"""Sessions -> rows of train_actions.pq.

A session is a visit, perhaps a category and a search, then views with likes, additions and removals, then what closes
it: an order of the cart, or a cleared cart. Times are whole seconds, so some rows of a session share one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.datasets.samples.stokman.catalog import COMPANIONS, Catalog, Integers
from feature_repo.datasets.samples.stokman.shoppers import Mask, Sessions
from feature_repo.datasets.stokman_log.source_files import ACTIONS

VIEW, LIKE, ADD, REMOVE, CLEAR, ORDER, LIST, VISIT, CATEGORY, SEARCH = range(len(ACTIONS))
OTHERWISE, MAX_VIEWS = 0.55, 60  # share of the other views that are in the category
PER_VIEW = 10  # steps
CATEGORY_SHARE, SEARCH_SHARE, LIST_SHARE = 0.5, 0.25, 0.4
LIKE_SHARE, ADD_SHARE, REMOVE_SHARE, CLEAR_SHARE = 0.05, 0.07, 0.2, 0.15
TWICE = 0.1  # share of repeated orders with two pieces
WITH_COMPANION = 0.25  # share of the orders that also hold a companion of the item


@dataclass(frozen=True)
class Rows:
    """(n,) each. ``item`` is -1 where the row has none or more than one. ``step``: its order in the session."""

    session: Integers
    step: Integers
    action: Integers
    item: Integers

    def where(self, mask: Mask | Integers) -> Rows:
        return Rows(self.session[mask], self.step[mask], self.action[mask], self.item[mask])


@dataclass(frozen=True)
class OrderLines:
    """(n,) each, of the orders' distinct items. ``since_us``: 0 for an item that only chance chose."""

    person: Integers
    us: Integers
    item: Integers
    since_us: Integers
    is_repetition: Mask


def rows_of(rng: np.random.Generator, catalog: Catalog, sessions: Sessions) -> tuple[pa.Table, OrderLines]:
    """The rows of some people's sessions, by person and time, and the lines of their orders."""
    everyone = np.arange(len(sessions))
    views = _views(rng, catalog, sessions)
    count = np.bincount(views.session, minlength=len(sessions))
    end = PER_VIEW * (count + 2)  # after the last view
    likes = _after(rng, views, LIKE, LIKE_SHARE, 1)
    adds = _after(rng, views, ADD, ADD_SHARE, 2)
    removes = _after(rng, adds, REMOVE, REMOVE_SHARE, 2)
    ordering = np.flatnonzero(sessions.bought >= 0)
    pieces = 1 + (sessions.is_repetition[ordering] & (rng.random(len(ordering)) < TWICE))
    buying = np.repeat(ordering, pieces)
    bought = _joined(
        _rows(buying, end[buying], ADD, sessions.bought[buying]), _companions(rng, catalog, sessions, ordering, end)
    )
    cart = _cart(adds, removes, bought)
    has_cart = np.bincount(cart.session, minlength=len(sessions)) > 0
    clears = everyone[has_cart & (sessions.bought < 0) & (rng.random(len(sessions)) < CLEAR_SHARE)]
    lists = everyone[has_cart & (rng.random(len(sessions)) < LIST_SHARE)]
    categories, searches = (everyone[rng.random(len(sessions)) < share] for share in (CATEGORY_SHARE, SEARCH_SHARE))
    rows = _joined(
        _rows(everyone, 0, VISIT), _rows(categories, 1, CATEGORY), _rows(searches, 2, SEARCH),
        views, likes, adds, removes, bought,
        _rows(lists, end[lists] + 1, LIST), _rows(clears, end[clears] + 2, CLEAR),
        _rows(ordering, end[ordering] + 3, ORDER),
    )  # fmt: skip
    rows = rows.where(np.lexsort((rows.step, rows.session)))
    us = _times(rng, sessions.us, rows)
    return _table(rng, catalog, sessions, rows, cart, us), _lines(sessions, rows, cart, us)


def _views(rng: np.random.Generator, catalog: Catalog, sessions: Sessions) -> Rows:
    length = np.exp(rng.normal(0.9, 0.9, len(sessions))).clip(max=MAX_VIEWS)
    count = np.where(sessions.is_repetition, rng.random(len(sessions)) < 0.6, 1 + length).astype(np.int64)
    session = np.repeat(np.arange(len(sessions)), count)
    number = np.arange(len(session)) - (np.cumsum(count) - count)[session]
    returns = 0.2 + 0.4 * np.minimum(sessions.strength[session] / 3, 1)
    draw = rng.random(len(session))
    item = np.where(
        rng.random(len(session)) < OTHERWISE,
        catalog.of_category(rng, sessions.category[session]),
        catalog.popular(rng, len(session)),
    )
    item = np.where((draw < returns) | sessions.is_repetition[session], sessions.favourite[session], item)
    return Rows(
        session, PER_VIEW * (number + 1), np.full(len(session), VIEW), catalog.seen_at(item, sessions.us[session])
    )


def _after(rng: np.random.Generator, rows: Rows, action: int, share: float, steps: int) -> Rows:
    """An ``action`` on the item of some of the rows, ``steps`` later."""
    chosen = rows.where(rng.random(len(rows.session)) < share)
    return _rows(chosen.session, chosen.step + steps, action, chosen.item)


def _rows(session: Integers, step: Integers | int, action: int, item: Integers | int = -1) -> Rows:
    shape = len(session)
    return Rows(session, np.broadcast_to(step, shape), np.full(shape, action), np.broadcast_to(item, shape))


def _joined(*parts: Rows) -> Rows:
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])))


def _companions(
    rng: np.random.Generator, catalog: Catalog, sessions: Sessions, ordering: Integers, end: Integers
) -> Rows:
    chosen = ordering[rng.random(len(ordering)) < WITH_COMPANION]
    companion = catalog.companions[sessions.bought[chosen], rng.integers(0, COMPANIONS, len(chosen))]
    return _rows(chosen, end[chosen], ADD, catalog.seen_at(companion, sessions.us[chosen]))


def _cart(adds: Rows, removes: Rows, bought: Rows) -> Rows:
    """What is in the carts at the end: the additions but for the items that were removed, then what is bought."""
    width = 1 + max(int(adds.item.max(initial=0)), int(removes.item.max(initial=0)))
    gone = np.isin(adds.session * width + adds.item, removes.session * width + removes.item)
    cart = _joined(adds.where(~gone), bought)
    return cart.where(np.lexsort((cart.step, cart.session)))


def _times(rng: np.random.Generator, begin_us: Integers, rows: Rows) -> Integers:
    pause = np.minimum(np.exp(rng.normal(3.0, 1.1, len(rows.session))), 900).astype(np.int64)
    starts = np.diff(rows.session, prepend=-1) != 0
    pause[starts] = 0
    elapsed = np.cumsum(pause)
    elapsed -= elapsed[starts][np.cumsum(starts) - 1]
    return begin_us[rows.session] + elapsed * 1_000_000


def _table(
    rng: np.random.Generator, catalog: Catalog, sessions: Sessions, rows: Rows, cart: Rows, us: Integers
) -> pa.Table:
    first = np.searchsorted(cart.session, rows.session)
    several = (rows.action == ORDER) | (rows.action == LIST)
    size = np.where(several, np.searchsorted(cart.session, rows.session, side="right") - first, rows.item >= 0)
    offsets = np.concatenate([[0], np.cumsum(size)])
    row = np.repeat(np.arange(len(size)), size)
    position = np.arange(len(row)) - offsets[row]
    from_cart = cart.item[np.minimum(first[row] + position, max(0, len(cart.item) - 1))] if len(cart.item) else row * 0
    item = np.where(several[row], from_cart, rows.item[row])
    category = catalog.category_id.take(pa.array(sessions.category[rows.session]))
    page = pc.if_else(
        pa.array(rows.action == CATEGORY), category, pa.array(rng.integers(1, 40, len(size))).cast(pa.string())
    )
    anonymous = sessions.is_anonymous[rows.session]
    return pa.table(
        {
            "user_id": pa.array(sessions.person[rows.session] + 1, mask=anonymous),
            "loc_user_id": pa.array(_scattered(sessions.cookie[rows.session])),
            "action": pa.array(rows.action, pa.int8()),
            "date": pa.array(us, pa.timestamp("us")),
            "products": pa.ListArray.from_arrays(
                pa.array(offsets, pa.int32()), catalog.product_id.take(pa.array(item))
            ),
            "pageId": page,
        }
    )


def _scattered(number: Integers) -> Integers:
    """Another number for each, so that neighbours look unrelated: multiplied by an odd number modulo 2**40."""
    return (number + 1) * 40_503_717 % (1 << 40)


def _lines(sessions: Sessions, rows: Rows, cart: Rows, us: Integers) -> OrderLines:
    order_us = np.full(len(sessions), -1)
    is_order = rows.action == ORDER
    order_us[rows.session[is_order]] = us[is_order]
    sold = cart.where(order_us[cart.session] >= 0)
    _, once = np.unique(np.column_stack([sold.session, sold.item]), axis=0, return_index=True)
    sold = sold.where(once)
    planted = sold.item == sessions.bought[sold.session]
    return OrderLines(
        person=sessions.person[sold.session],
        us=order_us[sold.session],
        item=sold.item,
        since_us=np.where(planted, sessions.since_us[sold.session], 0),
        is_repetition=planted & sessions.is_repetition[sold.session],
    )
