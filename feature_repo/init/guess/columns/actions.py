"""What users did: a column of actions, one action for the whole file, or ratings."""

from __future__ import annotations

from itertools import accumulate

from feature_repo.datasets.files.mapping import Values
from feature_repo.init import words as w
from feature_repo.init.guess.decisions import UNKNOWN, Decision, Guess, column_of
from feature_repo.init.guess.roles import View
from feature_repo.init.guess.tables import stem
from feature_repo.init.profile.column import Column
from feature_repo.init.thresholds import ACTIONS_KNOWN, LIKED_OF_SCALE, LIKED_SHARES

# What is predicted, the first that the log has.
TARGETS = ("order", "add_to_cart", "like", "view")


def action_decision(guess: Guess, view: View) -> Decision | None:
    """None: nothing says what was done. Asks for texts that most rows have and that no word explains."""
    name = view.first("action")
    if name is not None:
        return _of_column(guess, view, view.columns[name])
    by_rating = view.first("rating")
    if by_rating is not None:
        return _of_rating(view.columns[by_rating])
    return _of_file(view)


def _of_column(guess: Guess, view: View, column: Column) -> Decision:
    known: dict[str, str | int] = {text: action for text in column.texts if (action := w.action_of(text))}
    unknown = [text for text in column.texts if text not in known]
    rows = sum(rows for text, rows in column.values if text in known)
    if rows < ACTIONS_KNOWN * column.filled:
        listed = ", ".join(f"{text!r} ({rows / column.rows:.0%})" for text, rows in column.values[:12])
        guess.ask(
            "events.action.map",
            f"{view.pattern}, {column.name}: its values are no words for actions: {listed}",
            "{" + ", ".join(f"{text}: view" for text in unknown[:3]) + "}  # view, add_to_cart, order, ...",
        )
        return Decision(
            column_of(column.name, map={**known, **dict.fromkeys(unknown, UNKNOWN)}), "say what each is", 0.0
        )
    if unknown:
        shares = ", ".join(f"{text!r}" for text in unknown)
        guess.leave_out(view.pattern, column.name, f"rows with {shares}: no action of a log")
    same = all(text == action for text, action in known.items()) and not unknown
    values = column_of(column.name) if same else column_of(column.name, map=known)
    return Decision(values, f"{len(known)} of {len(column.values)} texts are words for actions")


def _of_rating(column: Column) -> Decision:
    """A rating in the upper part of the scale that is used stands for an order: what the user wanted."""
    assert column.numbers is not None
    threshold = liked_from(column)
    low = column.numbers.low
    return Decision(
        column_of(column.name, at_least={low: "view", threshold: "order"}),
        f"ratings from {low:g} to {column.numbers.high:g}: from {threshold:g} on the user liked it, which is predicted",
        0.8,
    )


def liked_from(column: Column) -> float:
    """The lowest rating that reaches four fifths of the scale; the median's next where few or almost all do."""
    assert column.numbers is not None
    ratings = sorted(column.numbers.values)
    total, high = sum(rows for _, rows in ratings), ratings[-1][0]
    chosen = next(rating for rating, _ in ratings if rating >= LIKED_OF_SCALE * high)
    if LIKED_SHARES[0] <= sum(rows for rating, rows in ratings if rating >= chosen) / total <= LIKED_SHARES[1]:
        return chosen
    seen = list(accumulate(rows for _, rows in ratings))
    median = next(number for number, rows in enumerate(seen) if rows >= total / 2)
    return ratings[min(median + 1, len(ratings) - 1)][0]


def _of_file(view: View) -> Decision | None:
    """By the name of the file, the order number, the goods and money, or the name of the time."""
    by_name = w.action_of_name(" ".join(stem(view)))
    order = view.first("order")
    in_basket = order is not None and by_name == "add_to_cart"  # lines of baskets that were paid for, not of carts
    if by_name is not None and not in_basket:
        return Decision(Values(value=by_name), f"the file's name says so: {view.pattern}")
    if order is not None:
        return Decision(Values(value="order"), f"each row belongs to an order: {order}")
    if view.has("quantity") and view.has("price", "value"):
        return Decision(Values(value="order"), "quantities and prices: these are purchases")
    for name in view.roles.get("time", ()):
        by_time = w.action_of_name(name)
        if by_time is not None:
            return Decision(Values(value=by_time), f"the time is that of it: {name}")
    return None
