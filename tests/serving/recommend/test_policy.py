from __future__ import annotations

import pytest
import yaml

from infra.settings import Settings
from serving.recommend.policy import BadPolicy, Explore, policy_of, read_policy
from tests.serving.recommend.shelf import with_params

WRONG = {
    "an unknown rule": ({"rules": [{"rule": "no_such"}]}, "unknown rule 'no_such'; there are already_bought"),
    "a name alone": ({"rules": ["already_bought"]}, "unknown rule 'already_bought'"),
    "no list": ({"rules": {"rule": "already_bought"}}, "must be a list"),
    "a value left out": ({"rules": [{"rule": "already_bought"}]}, "already_bought: days is None"),
    "an unknown value": ({"rules": [{"rule": "out_of_stock", "columns": "x"}]}, "unknown ['columns']; it takes column"),
    "an unknown action": ({"rules": [{"rule": "seen_in_session", "actions": ["buy"]}]}, "unknown actions ['buy']"),
    "a text for a list": ({"rules": [{"rule": "blocked_categories", "categories": "fuel"}]}, "must be a list of names"),
    "a flag for a number": ({"rules": [{"rule": "max_per_category", "items": True}]}, "items is True"),
    "half an item": (
        {"rules": [{"rule": "max_per_category", "items": 2.5}]},
        "items is 2.5; it must be a whole",
    ),
    "a share above 1": ({"explore": {"share": 1.5}}, "share is 1.5; it must be a number from 0 to 1"),
    "an unknown word": ({"explore": {"shares": 0.5}}, "shares"),
}


@pytest.mark.parametrize(("section", "named"), WRONG.values(), ids=WRONG)
def test_a_policy_with_a_fault_is_refused_and_the_fault_named(section, named):
    with pytest.raises(BadPolicy) as found:
        policy_of(section)
    assert named in str(found.value)


def test_rules_keep_their_order_and_a_data_set_has_its_own(tmp_path):
    listed = [{"rule": "blocked_categories", "categories": ["x"]}, {"rule": "already_bought", "days": 7}]
    own = {"rules": [{"rule": "out_of_stock"}], "explore": {"share": 0.1}}
    settings = with_params(Settings(_env_file=None, dataset="shop"), tmp_path, rules=listed)
    (tmp_path / "params").mkdir()
    (tmp_path / "params" / "complete_journey.yaml").write_text(yaml.safe_dump({"recommend": own}))
    assert [rule.name for rule in read_policy(settings).rules] == ["blocked_categories", "already_bought"]
    other = read_policy(settings.model_copy(update={"dataset": "complete_journey"}))
    assert [rule.name for rule in other.rules] == ["out_of_stock"]
    assert other.explore == Explore(share=0.1, days=14.0)


def test_a_rule_on_a_number_refuses_a_text(tmp_path):
    rules = [{"rule": "out_of_stock", "column": "brand"}]
    settings = with_params(Settings(_env_file=None, dataset="complete_journey"), tmp_path, rules=rules)
    with pytest.raises(BadPolicy, match="out_of_stock: brand is a text, not a number"):
        read_policy(settings)
    # Without a log of its own the columns of this data set are not known.
    other = settings.model_copy(update={"dataset": "shop", "data_dir": tmp_path})
    assert [rule.number for rule in read_policy(other).rules] == ["brand"]


def test_without_a_section_there_are_no_rules(tmp_path):
    (tmp_path / "params.yaml").write_text("train: {seed: 7}\n")
    found = read_policy(Settings(_env_file=None, params_file=tmp_path / "params.yaml"))
    assert (found.rules, found.explore.share) == ((), 0.0)


def test_the_policy_of_the_project_can_be_read():
    assert read_policy(Settings(_env_file=None)).explore.share <= 0.1


def test_a_missing_file_is_refused_by_its_name_and_the_setting(tmp_path):
    with pytest.raises(BadPolicy, match=r"nowhere\.yaml: No such file.*RERANK_PARAMS_FILE"):
        read_policy(Settings(_env_file=None, params_file=tmp_path / "nowhere.yaml"))
