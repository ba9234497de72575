from __future__ import annotations

from dataclasses import replace

import pytest

from feature_repo.datasets.declarations.built_in import SIMULATED
from feature_repo.definitions import checks
from feature_repo.definitions.checks import check
from feature_repo.definitions.repo import BadDefinitions
from feature_repo.definitions.view import Feature
from feature_repo.derived.families import FAMILIES
from feature_repo.derived.family import Column, Family, derived
from feature_repo.model_features import model_features
from feature_repo.schema import Column as LogColumn
from feature_repo.schema import Declaration, DType
from feature_repo.slate import Slate


def family(reads: tuple[str, ...], gives: tuple[tuple[str, str, str], ...] = ()) -> Family:
    @derived(version=1, reads=reads, gives=gives)
    def mine(slate: Slate, declaration: Declaration) -> dict[str, Column]:
        return {name: 0.0 for name, _, _ in gives}

    return mine


def test_what_is_built_in_fits_together() -> None:
    assert check(SIMULATED) is None  # it raises


def test_all_problems_of_a_family_are_named_with_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = family(("item_attributes:tags", "warehouse"), (("price", "the price again", "money"),))
    monkeypatch.setattr(checks, "FAMILIES", (*FAMILIES, wrong))
    with pytest.raises(BadDefinitions) as raised:
        check(SIMULATED)
    first, second = str(raised.value).splitlines()
    assert first.startswith("mine: it reads item_attributes:tags, which is no column of item_attributes; it has categ")
    assert second.startswith("mine: it reads warehouse, which is no view; there are item_attributes, item_windows,")


def test_a_name_that_two_views_give_is_named_with_both() -> None:
    taken = LogColumn("views_1d", DType.FLOAT32, "views of yesterday", nullable=True)
    with pytest.raises(BadDefinitions, match="views_1d is given by item_attributes and by item_windows: rename one"):
        check(replace(SIMULATED, item_extras=(taken,)))


def test_a_name_that_two_families_give_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = Feature("hour", "derived", "the hour")
    monkeypatch.setattr(checks, "model_features", lambda each: (*model_features(each), twice))
    with pytest.raises(BadDefinitions, match="hour is given by derived and by derived"):
        check(SIMULATED)
