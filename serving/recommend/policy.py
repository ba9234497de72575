"""The shop's policy: the rules and the share for exploration, read from params.yaml when the scorer starts.

The policy is not part of a model: the same model serves under another policy after a restart, and every answer and log
record says what the rules did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.views import item_attributes_view
from feature_repo.schema import ACTIONS, Declaration, DType
from infra.limits import MAX_K
from infra.params import BadParams, read_params
from infra.settings import Settings
from serving.recommend import rules
from serving.recommend.rules import Rule


class BadPolicy(ValueError):
    """params.yaml names a rule or a value that does not exist."""


@dataclass(frozen=True)
class Explore:
    """``share``: of the items of an answer, on average. ``days``: how long an item is new."""

    share: float = 0.0
    days: float = 14.0


@dataclass(frozen=True)
class Policy:
    """``rules``: in the order in which they are applied, after those of the request."""

    rules: tuple[Rule, ...] = ()
    explore: Explore = Explore()


def read_policy(settings: Settings) -> Policy:
    """Of ``recommend.rules`` and ``recommend.explore``; without them there are none.

    Raises BadPolicy, also for a rule on a column that the data set has as a text.
    """
    try:
        params = read_params(settings)
    except BadParams as error:
        raise BadPolicy(f"{error}: the scorer reads the rules of /recommend from it") from error
    found = policy_of(params.get("recommend") or {})
    with suppress(DatasetError):  # a scorer without the log knows the columns only with a model
        _refuse_texts(found.rules, declaration_of(settings))
    return found


def _refuse_texts(listed: Sequence[Rule], declaration: Declaration) -> None:
    texts = {column.name for column in item_attributes_view(declaration).columns if column.dtype is DType.STRING}
    for rule in listed:
        if rule.number in texts:
            raise BadPolicy(f"params.yaml, recommend.rules, {rule.name}: {rule.number} is a text, not a number")


def policy_of(section: Mapping[str, Any]) -> Policy:
    """``section``: the section ``recommend``. Raises BadPolicy."""
    listed = section.get("rules") or []
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise BadPolicy("params.yaml, recommend.rules: must be a list")
    return Policy(tuple(_rule(each) for each in listed), _explore(section.get("explore") or {}))


def _rule(listed: Any) -> Rule:
    if not isinstance(listed, Mapping) or listed.get("rule") not in RULES:
        name = listed.get("rule") if isinstance(listed, Mapping) else listed
        raise BadPolicy(f"params.yaml, recommend.rules: unknown rule {name!r}; there are {', '.join(sorted(RULES))}")
    name = listed["rule"]
    values = {key: value for key, value in listed.items() if key != "rule"}
    try:
        return RULES[name](values)
    except (KeyError, TypeError, ValueError) as error:
        raise BadPolicy(f"params.yaml, recommend.rules, {name}: {error}") from error


def _explore(values: Any) -> Explore:
    try:
        found = Explore(**values)
        _number(found.share, 0, 1, "share")
        _number(found.days, 0, 36_500, "days")
    except (TypeError, ValueError) as error:
        raise BadPolicy(f"params.yaml, recommend.explore: {error}") from error
    return found


def _already_bought(values: Mapping[str, Any]) -> Rule:
    _only(values, "days")
    return rules.already_bought(_number(values.get("days"), 0, 36_500, "days"))


def _seen_in_session(values: Mapping[str, Any]) -> Rule:
    _only(values, "actions")
    actions = _names(values.get("actions"), "actions")
    if unknown := sorted(actions - set(ACTIONS)):
        raise ValueError(f"unknown actions {unknown}; there are {', '.join(ACTIONS)}")
    return rules.seen_in_session(actions)


def _out_of_stock(values: Mapping[str, Any]) -> Rule:
    _only(values, "column")
    column = values.get("column", "in_stock")
    if not isinstance(column, str):
        raise ValueError("column must be the name of an item column")
    return rules.out_of_stock(column)


def _blocked_categories(values: Mapping[str, Any]) -> Rule:
    _only(values, "categories")
    return rules.blocked_categories(_names(values.get("categories"), "categories"))


def _max_per_category(values: Mapping[str, Any]) -> Rule:
    _only(values, "items", "of_first")
    items, of_first = (_whole(values.get(name, value), name) for name, value in (("items", None), ("of_first", 25)))
    return rules.max_per_category(items, of_first)


RULES: Mapping[str, Callable[[Mapping[str, Any]], Rule]] = {
    "already_bought": _already_bought,
    "blocked_categories": _blocked_categories,
    "max_per_category": _max_per_category,
    "out_of_stock": _out_of_stock,
    "seen_in_session": _seen_in_session,
}


def _only(values: Mapping[str, Any], *names: str) -> None:
    if unknown := sorted(set(map(str, values)) - set(names)):
        raise ValueError(f"unknown {unknown}; it takes {', '.join(names)}")


def _number(value: Any, low: float, high: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must be a number from {low:g} to {high:g}")
    return float(value)


def _whole(value: Any, name: str) -> int:
    if not _number(value, 1, MAX_K, name).is_integer():
        raise ValueError(f"{name} is {value!r}; it must be a whole number")
    return int(value)


def _names(values: Any, name: str) -> frozenset[str]:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"{name} must be a list of names")
    return frozenset(map(str, values))
