"""Edits of params.yaml: what is named changes, and every other character stays."""

import difflib

import pytest
import yaml

from infra.settings import PROJECT_ROOT
from training.tune.params_edit import BadParams, edited, nested

TEXT = """\
# what stands at the top
train:
  seed: 7
  lightgbm:
    learning_rate: 0.03   # slow
    objective: 'binary'  # quoted
  # behind the section

other: {a: 1, b: {c: 2}}  # in one line

empty:
last:
  deep:
    x: 1
    # the end
"""


def changed(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


def test_a_value_is_replaced_and_its_comment_stays():
    after = edited(TEXT, ("train",), {"lightgbm.learning_rate": 0.05, "lightgbm.objective": "rank_xendcg"})
    assert changed(TEXT, after) == [
        "-     learning_rate: 0.03   # slow",
        "+     learning_rate: 0.05   # slow",
        "-     objective: 'binary'  # quoted",
        "+     objective: rank_xendcg  # quoted",
    ]


def test_a_new_value_stands_behind_the_last_of_its_section():
    after = edited(TEXT, ("train",), {"lightgbm.num_leaves": 15, "weights": "equal"})
    assert changed(TEXT, after) == ["+     num_leaves: 15", "+   weights: equal"]
    assert "    objective: 'binary'  # quoted\n    num_leaves: 15\n  weights: equal\n  # behind the section\n" in after


def test_missing_parents_are_made():
    after = edited(TEXT, ("last", "of", "all"), {"train.lightgbm.x": 1e-05, "fast": False})
    assert changed(TEXT, after) == [
        "+   of:",
        "+     all:",
        "+       train:",
        "+         lightgbm:",
        "+           x: 1.0e-05",
        "+       fast: false",
    ]
    assert yaml.safe_load(after)["last"] == {
        "deep": {"x": 1},
        "of": {"all": {"train": {"lightgbm": {"x": 1e-05}}, "fast": False}},
    }


def test_sections_in_one_line_stay_in_one_line():
    after = edited(TEXT, ("other",), {"a": 3, "b.c": 4, "b.d": 5, "e.f": 6})
    assert "other: {a: 3, b: {c: 4, d: 5}, e: {f: 6}}  # in one line\n" in after


def test_an_empty_section_is_filled():
    after = edited(TEXT, ("empty",), {"x.y": 1, "x.z": 2})
    assert changed(TEXT, after) == ["- empty:", "+ empty: {x: {y: 1, z: 2}}"]


def test_a_file_without_a_last_line_end_is_edited():
    assert edited("a:\n  b: 1", ("a",), {"c": 2}) == "a:\n  b: 1\n  c: 2"


@pytest.mark.parametrize(
    ("section", "name"), [(("train",), "lightgbm"), (("train", "seed"), "x"), (("other", "a", "b"), "c")]
)
def test_a_section_of_another_form_is_not_touched(section, name):
    with pytest.raises((BadParams, TypeError)):
        edited(TEXT, section, {name: 1})


def test_the_projects_parameters_keep_every_other_line():
    text = (PROJECT_ROOT / "params" / "complete_journey.yaml").read_text()
    values = {
        "train.lightgbm.num_leaves": 63,
        "train.weights": "equal",
        "candidates": 250,
        "sources.als.candidates": 5,
        "sources.covisitation.candidates": 70,
    }
    after = edited(text, ("recommend",), values)
    removed = [line for line in changed(text, after) if line.startswith("-")]
    # covisitation and als are there, in one line each; all else is new
    assert [line.strip("- ").split(":")[0] for line in removed] == ["covisitation", "als"]
    comments = [line.partition("#")[2] for line in text.splitlines()]
    assert [line.partition("#")[2] for line in after.splitlines() if "#" in line] == [c for c in comments if c]
    own = yaml.safe_load(after)["recommend"]
    assert own["sources"]["covisitation"] == {"targets": {"add_to_cart": 0.0, "view": 0.0}, "candidates": 70}
    assert own["train"] == {"lightgbm": {"num_leaves": 63}, "weights": "equal"}


def test_values_are_shown_as_they_would_stand_in_the_file():
    assert nested(("train",), {"lightgbm.x": 1, "weights": "equal"}) == (
        "train:\n  lightgbm:\n    x: 1\n  weights: equal\n"
    )
