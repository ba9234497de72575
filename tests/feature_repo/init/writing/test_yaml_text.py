import yaml

from feature_repo.datasets.files.mapping import mapping_from
from feature_repo.init.guess.decisions import Decision, FileGuess, Guess, Setting, column_of
from feature_repo.init.writing.tree import flat, is_open, named, reasons_of, tree_of
from feature_repo.init.writing.yaml_text import LINE, document, flow, line_of

DONE = {"yes": "order", "2": "view", "": "view"}
GUESS = Guess(
    files=[
        FileGuess(
            "events", "my log.csv", "what was done",
            columns={
                "event_ts": Decision(column_of("at", unit="ms"), "milliseconds"),
                "action": Decision(column_of("did", map=DONE), "a " + "long reason " * 20),
            },
            where={"kind": ("a", "b: c")},
        ),
    ],
    settings={"slates": Setting({"targets": ["order"]}, "made")},
    ignored={"x.csv": "nothing in it"},
)  # fmt: skip


def test_the_text_reads_back_as_the_mapping_that_was_meant():
    tree = tree_of(GUESS, "/data/my shop")
    text = document(tree, reasons_of(GUESS), "head\nof two lines", "foot")
    section = yaml.safe_load(text)["log"]
    assert section == tree
    mapping = mapping_from(section)
    assert mapping.files[0].columns["event_ts"].unit == "ms"
    assert mapping.files[0].columns["action"].map == {"yes": "order", "2": "view", "": "view"}
    assert mapping.files[0].where == {"kind": ("a", "b: c")}
    assert (mapping.slates.targets, mapping.ignore) == (("order",), ("x.csv",))
    assert text.startswith("# head\n# of two lines\nlog:\n")
    assert text.endswith("# foot\n")


def test_a_reason_stands_behind_its_line_or_above_where_it_is_too_long():
    assert line_of(2, "a", {"from": "b"}, "why") == "  a: {from: b}  # why"
    above = line_of(2, "a", {"from": "b"}, "w" * LINE)
    assert above.splitlines() == [f"  # {'w' * LINE}", "  a: {from: b}"]
    assert line_of(0, "a", 1, "two\nlines") == "a: 1  # two lines"


def test_values_stand_in_one_line_however_long_they_are():
    assert flow({f"key {n}": n for n in range(60)}).count("\n") == 0
    assert flow("%d/%m/%Y") == "'%d/%m/%Y'"


def test_places_are_named_as_an_answer_names_them():
    places = flat(tree_of(GUESS, "in"))
    assert [named(place) for place in places if place[2:3] == ("columns",)] == ["events.event_ts", "events.action"]
    assert named(("slates",)) == "slates"
    assert named(("files", ("events", "a.csv", 1), "where")) == "events[1].where"


def test_a_question_mark_anywhere_is_open():
    assert is_open({"from": "x", "map": {"a": "?"}})
    assert is_open({"targets": ["?"]})
    assert not is_open({"from": "what?"})
