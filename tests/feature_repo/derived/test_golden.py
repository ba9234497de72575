"""Values may change only together with the version of their family, which is part of the model's contract."""

from dataclasses import replace

import pytest

from feature_repo.contract import current_contract
from feature_repo.derived import families
from tests.feature_repo.derived import golden

GOLDEN = golden.read()


@pytest.mark.parametrize("family", golden.versions())
def test_no_value_changes_without_a_new_version(family):
    changed = golden.changes(GOLDEN)[family]
    advice = (
        f"values of the {family} features changed: raise the family's version, "
        "then run python -m tests.feature_repo.derived.golden\n"
    )
    assert not changed, advice + "\n".join(changed)


def test_the_golden_matrix_has_the_present_versions():
    assert GOLDEN["versions"] == golden.versions()


def test_every_feature_has_a_value_that_could_change():
    known = {
        name
        for case in GOLDEN["slates"]
        for values in case["values"].values()
        for name, column in values.items()
        if any(value not in (None, 0.0) for value in column)
    }
    everything = {name for values in GOLDEN["slates"][0]["values"].values() for name in values}
    assert everything - known == set()


def test_a_changed_value_is_reported_under_its_family(monkeypatch):
    def half_as_old(family):
        return replace(family, columns=lambda *given: {n: c / 2 for n, c in family.columns(*given).items()})

    changed = tuple(half_as_old(each) if each.name == "ages" else each for each in families.FAMILIES)
    monkeypatch.setattr(families, "FAMILIES", changed)
    found = golden.changes(GOLDEN)
    assert {family for family, sentences in found.items() if sentences} == {"ages"}
    assert any(sentence.startswith("item_age_s of the slate 'everything known' was") for sentence in found["ages"])


def test_a_raised_version_changes_the_contract(monkeypatch):
    before = current_contract("shop", golden.DECLARATION)
    raised = tuple(replace(each, version=each.version + (each.name == "ages")) for each in families.FAMILIES)
    monkeypatch.setattr(families, "FAMILIES", raised)
    after = current_contract("shop", golden.DECLARATION)
    assert after.contract_hash != before.contract_hash
    assert before.differences(after) == ["ages features: the model has version 1, the scorer 2"]


def test_edited_descriptions_leave_the_contract_as_it_is():
    described = replace(
        golden.DECLARATION,
        title="another title",
        context=tuple(replace(column, description="another text") for column in golden.DECLARATION.context),
    )
    before, after = current_contract("shop", golden.DECLARATION), current_contract("shop", described)
    assert before.contract_hash == after.contract_hash
    assert before.differences(after) == []
