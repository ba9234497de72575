"""The declarations of the built-in data sets. A user's own log has its declaration in ``dataset.json``."""

from __future__ import annotations

from feature_repo.datasets.declarations.declaration_json import read_declaration
from feature_repo.schema import Column, Declaration, DType
from infra.settings import Settings


def _flag(name: str, description: str) -> Column:
    return Column(name, DType.FLOAT32, description, "flag", True, 0, 1)


COMPLETE_JOURNEY = Declaration(
    name="complete_journey",
    title="The Complete Journey: a year of a grocery chain, 2,469 households",
    timezone="America/New_York",
    item_extras=(_flag("is_private_brand", "1 for the chain's own brand"),),
    facts=(
        _flag("is_recommended", "1 if promoted in this store and week"),
        _flag("on_display", "1 if on display in this store and week"),
        _flag("in_mailer", "1 if in the mailer of this store and week"),
    ),
    context=(Column("store_id", DType.STRING, "store the basket is bought in", nullable=True),),
)

SESSIONS_VENUES = Declaration(
    name="sessions_venues",
    title="Food-delivery sessions over a static list of venues",
    item_extras=(
        Column("venue_conversion", DType.FLOAT32, "published orders per impression", "ratio", True, 0, 1),
        Column("venue_price_range", DType.FLOAT32, "price class", "class", True, 0, 4),
        Column("venue_rating", DType.FLOAT32, "rating", "points", True, 0, 10),
        Column("venue_popularity", DType.FLOAT32, "published popularity", "index", True, 0),
        Column("venue_retention", DType.FLOAT32, "published share of returning users", "ratio", True, 0, 1),
    ),
    facts=(
        _flag("is_new_user", "1 for a user's first session"),
        _flag("is_from_order_again", "1 if the candidate came from the order-again shelf"),
        _flag("is_recommended", "1 if the candidate came from the recommended shelf"),
    ),
    price_required=False,
)

SIMULATED = Declaration(
    name="simulated",
    title="A simulated shop with known utilities and known position bias",
    item_extras=(Column("quality", DType.FLOAT32, "a noisy estimate of the item's utility", "index", True),),
    facts=(_flag("is_recommended", "1 if the shop promotes the candidate"),),
)

RETAILROCKET = Declaration(
    name="retailrocket",
    title="RetailRocket: views, carts and purchases of a shop's visitors",
    item_extras=(
        _flag("is_available", "1 if the shop can deliver the item"),
        Column("root_category_id", DType.STRING, "root of the category in the category tree", nullable=True),
    ),
)

STOKMAN = Declaration(name="stokman", title="Stokman: ten kinds of actions of a shop's visitors")

BUILT_IN = {d.name: d for d in (COMPLETE_JOURNEY, SESSIONS_VENUES, SIMULATED, RETAILROCKET, STOKMAN)}


def declaration_of(settings: Settings) -> Declaration:
    """The declaration of the data set in use. Raises DatasetError for a log without a declaration."""
    return BUILT_IN.get(settings.dataset) or read_declaration(settings.log_dir)
