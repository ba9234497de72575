import pytest

from tests.feature_repo.init.folders import write
from tests.feature_repo.init.guessing import guess_in, left_out, made, only


@pytest.fixture
def label(tmp_path):
    """How the label of lists with these columns is made."""

    def of(**columns):
        rows = [
            (
                f"l{n // 4}",
                f"i{n % 23}",
                n % 4,
                f"2024-03-{1 + n // 10:02d}",
                *(cells[n % len(cells)] for cells in columns.values()),
            )
            for n in range(200)
        ]
        write(tmp_path, "lists.csv", ("slate_id", "item_id", "position", "date", *columns), rows)
        guess = guess_in(tmp_path)
        return made(only(guess, "impressions"), "label"), guess

    return of


def test_a_flag_is_the_label_as_it_is(label):
    assert label(click=[0, 1, 0, 0, 0])[0] == {"from": "click"}
    assert label(is_clicked=["True", "False", "False"])[0] == {"from": "is_clicked"}


def test_words_for_yes_and_no_are_mapped_and_a_blank_is_no(label):
    assert label(clicked=["yes", "no", "no", "", "no"])[0] == {"from": "clicked", "map": {"no": 0, "yes": 1, "": 0}}


def test_grades_up_to_four_stay(label):
    assert label(relevance=[0, 1, 4, 2, 3])[0] == {"from": "relevance"}


def test_more_grades_are_cut_into_five(label):
    assert label(gain=[0, 10, 5, 3, 8, 0, 2])[0] == {
        "from": "gain",
        "at_least": {0.0: 0, 2.5: 1, 5.0: 2, 7.5: 3, 10.0: 4},
    }


def test_the_deepest_of_several_outcomes_counts(label):
    made_of, guess = label(click=[1, 1, 0, 0, 1], purchase=[0, 1, 0, 0, 0], added=[0, 1, 0, 0, 1])
    assert made_of["from"] == ("click", "added", "purchase")
    assert made_of["map"] == {"1|1|1": 3, "1|1|0": 2, "1|0|0": 1, "0|0|0": 0}
    actions = [made(each, "action")["value"] for each in guess.files if each.table == "events"]
    assert actions == ["view", "add_to_cart", "order", "impression"]


def test_an_outcome_beside_a_grade_is_no_fact(label):
    made_of, guess = label(relevance=[0, 1, 2], click=[0, 1, 1, 0])
    assert made_of == {"from": "relevance"}
    assert left_out(guess)["click"].startswith("LEAK: an outcome")
