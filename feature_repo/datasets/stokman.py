"""Stokman: the four files of a shop's next-purchase task, with ten kinds of actions.

Source: a folder with stokman_catalog_preprocessed.pq, train_actions.pq, catalog_vector_mapping.pq and vectors.npz.

*People.* ``loc_user_id`` is a cookie; one person may have several. An action belongs to its ``user_id``. Without one it
belongs to the user with whom its cookie was seen before, strictly earlier, if that was exactly one user. Otherwise the
person is the cookie itself, ``cookie-<loc_user_id>``: who logs in later, or shares the cookie, is not known yet, and
what is learnt later must not change what was known then. So a visitor's actions before the first login stay with the
cookie.

*Events.* One per product: views, likes, additions, removals, orders and listed carts are taken apart. A product that
an action names several times is one event with that quantity. An action without products, and each clear_cart, visit,
visit_category and search, is one event without an item. The same action of a person on the same product at the same
time counts once. A session of a person ends after 30 minutes without an action. Session ids hold the time of the first
action, event ids the number in the session, so later actions do not change an id. Actions at the same time are in the
order of the file. Timestamps without a zone are UTC.

*Items.* See :mod:`feature_repo.datasets.stokman_log.items`. Events carry the category and the price that were known
strictly before them; an order's value is its quantity at that price, because the source has no amounts. A visit to a
category carries the category that its pageId names, if a product of that category was known before.

*Slates.* The source has no lists that were shown, so they are constructed: see
:mod:`feature_repo.datasets.event_slates.slates`.

*Vectors.* ``item_vectors.parquet`` has the title's vector of each item that the mapping gives one.

*Dropped:* the title's token ids, because an item's lists are not read online, and the vectors say the same; the other
pageIds, and the products of actions without an item, because the log has no column for them; the cookies themselves.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa

from feature_repo.datasets.declarations.built_in import STOKMAN
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.event_slates.candidates import CANDIDATE_SOURCES, open_candidates
from feature_repo.datasets.event_slates.coverage import coverage
from feature_repo.datasets.event_slates.rules import SlateRules
from feature_repo.datasets.event_slates.slates import impressions_query, sample_slates
from feature_repo.datasets.log_writer import LogWriter
from feature_repo.datasets.stokman_log.acts import SESSION_ID, write_acts, write_sessions
from feature_repo.datasets.stokman_log.items import ITEMS, find_products
from feature_repo.datasets.stokman_log.source_files import ACTIONS, open_actions, open_catalog, open_mapping
from feature_repo.datasets.stokman_log.vectors import VECTORS_FILE, Floats, read_vectors, vector_lists
from feature_repo.schema import ITEM_VECTORS, events_table, impressions_table, items_table
from infra.duckdb_connection import connect
from infra.limits import MAX_PRICE
from infra.progress import step
from infra.settings import Settings


def write_log(out: Path, *, source: Path | None, size: int | None, settings: Settings) -> None:
    """``size`` is the number of people, taken in the order of their hash; default all.

    Raises DatasetError without a ``source``, BadSource for a missing or malformed file.
    """
    if source is None:
        raise DatasetError(
            "stokman needs --input: a folder with stokman_catalog_preprocessed.pq, train_actions.pq, "
            "catalog_vector_mapping.pq and vectors.npz (python -m feature_repo.datasets.samples.stokman makes one)"
        )
    rules = SlateRules(
        targets=(ACTIONS.index("order"),),
        touches=tuple(map(ACTIONS.index, ("view", "like", "add_to_cart", "order"))),
        cart=ACTIONS.index("add_to_cart"),
    )
    with (
        connect(settings) as connection,
        LogWriter(out, STOKMAN) as log,
        tempfile.TemporaryDirectory(dir=settings.spill_dir, prefix="stokman-") as folder,
    ):
        with step("checking the files"):
            open_catalog(connection, source)
            open_actions(connection, source)
        with step("reading the vectors"):
            vectors = read_vectors(source / VECTORS_FILE)
            open_mapping(connection, source, len(vectors))
        with step("whose the actions are, and their products"):
            write_acts(connection, Path(folder), size)
        with step("sessions"):
            write_sessions(connection, Path(folder))
        find_products(connection)
        with step("writing items"):
            log.write(connection, items_table(STOKMAN), ITEMS)
        with step("writing the vectors"):
            _write_vectors(connection, log, vectors)
        with step("writing events"):
            log.write(connection, events_table(STOKMAN), _EVENTS)
        connection.execute(f"CREATE TEMP VIEW session_acts AS SELECT *, {SESSION_ID} AS session_id FROM sessions")
        with step("sampling slates"):
            sample_slates(connection, rules)
            open_candidates(connection, rules)
        for name, add_candidates in CANDIDATE_SOURCES.items():
            with step(f"candidates by {name}"):
                add_candidates(connection, rules)
        with step("writing impressions"):
            log.write(connection, impressions_table(STOKMAN), impressions_query(rules))
        print(f"  {coverage(connection)}", file=sys.stderr)


def _write_vectors(connection: duckdb.DuckDBPyConnection, log: LogWriter, vectors: Floats) -> None:
    chosen = connection.sql(
        "SELECT item_id, vector_id FROM mapping JOIN products ON product_id = item_id ORDER BY item_id"
    ).to_arrow_table()
    lists = vector_lists(vectors, chosen["vector_id"].to_numpy())
    connection.register("lists", pa.table({"item_id": chosen["item_id"], "vector": lists}))
    log.write(connection, ITEM_VECTORS, "SELECT * FROM lists")
    connection.unregister("lists")


_ORDER, _PAGE_VISIT = ACTIONS.index("order"), ACTIONS.index("visit_category")

# The order by numbers comes first and the ids are made after it: sorting the ids' text would take far more memory.
_EVENTS = f"""
    WITH known AS (
        SELECT s.person, s.t, s.action, s.item_id, s.quantity, s.opened_at, s.number,
            CASE WHEN s.t > p.priced_from THEN p.price END AS price,
            CASE WHEN s.t > p.known_from THEN p.category_id
                WHEN s.action = {_PAGE_VISIT} AND s.t > c.known_from THEN c.category_id END AS category_id
        FROM sessions s LEFT JOIN products p USING (item_id) LEFT JOIN categories c ON c.category_id = s.page
        ORDER BY s.t, s.person, s.number
    )
    SELECT {SESSION_ID} AS session_id, session_id || printf('-%06d', number) AS event_id, person AS user_id,
        item_id, t AS event_ts, t AS received_ts, {list(ACTIONS)}[action + 1] AS action, quantity,
        CASE WHEN action = {_ORDER} AND price * quantity <= {MAX_PRICE} THEN price * quantity END AS value,
        price, category_id, NULL AS request_id, NULL AS shown_position
    FROM known
"""
