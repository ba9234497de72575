"""Events: returns leave, quantities become whole, and nothing is refused that a note can say."""

from __future__ import annotations

from feature_repo.datasets.checks.values import FILE, ROW
from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.files.completion.given import missing
from feature_repo.datasets.files.staging import Staging
from infra.limits import MAX_QUANTITY

_EXAMPLE = f"parse_filename({FILE}) || ', row ' || {ROW}"
# remove_from_cart with a negative quantity removes so many.
_RETURNED = "(quantity <= 0 AND action <> 'remove_from_cart' OR value < 0 OR price < 0)"


def drop_returns(staging: Staging) -> None:
    """Before events get ids: a return is no event. What was ordered stays known at the time of the order."""
    returned = f"coalesce({_RETURNED}, false)"
    amount = "coalesce(quantity, value, price)"
    staging.note_where(
        "events", "given_events", returned, f"item_id || ': ' || {amount} || ', ' || {_EXAMPLE}",
        "rows dropped", "their quantity, value or price is negative, or their quantity 0 (a return or a correction)",
    )  # fmt: skip
    staging.save("given_events", f"SELECT * FROM given_events WHERE NOT {returned}")


def round_quantities(staging: Staging) -> None:
    """To whole numbers of at least 1; null beyond the limit."""
    amount = "abs(quantity)"
    staging.note_where(
        "events", "given_events", f"{amount} <> trunc({amount})", f"quantity || ', ' || {_EXAMPLE}",
        "quantities rounded to a whole number, at least 1", "the log counts units",
    )  # fmt: skip
    beyond = f"round({amount}) > {MAX_QUANTITY}"
    staging.note_where(
        "events", "given_events", beyond, f"quantity || ', ' || {_EXAMPLE}",
        "quantities made unknown", f"the log counts up to {MAX_QUANTITY:,} units",
    )  # fmt: skip
    whole = f"CASE WHEN NOT {beyond} THEN greatest(round({amount}), 1)::INTEGER END"
    staging.save("given_events", f"SELECT * REPLACE ({whole} AS quantity) FROM given_events")


def event_faults(staging: Staging) -> list[BadSource]:
    """What an event needs and nothing can make."""
    return [
        *missing(staging, "given_events", "action", "map it, or give all rows one: action: {value: order}"),
        *missing(
            staging, "given_events", "event_ts",
            "map it; with times: made an event needs the request_id of a slate or its session_id",
        ),
    ]  # fmt: skip
