from feature_repo.init.guess.decisions import Question
from feature_repo.init.writing.merge import Changes
from feature_repo.init.writing.page import WIDTH, changes_page, questions_page
from tests.feature_repo.init import folders


def test_no_line_is_wider_than_a_page_and_no_reason_is_cut(project, tmp_path):
    _, printed = project.run(folders.receipts(tmp_path / "in"))
    table = printed[printed.index("MEANING") : printed.index("wrote:")]
    assert max(map(len, table.splitlines())) <= WIDTH
    assert "no zone in the file: UTC, or say zone: Europe/Paris" in " ".join(table.split())


def test_each_question_shows_each_answer_and_the_command_line():
    question = Question("events.event_ts.format", "either", ('"%d/%m/%Y"', '"%m/%d/%Y"  # American'))
    page = questions_page([question], "params/shop.yaml")
    assert page.splitlines() == [
        "NOT SURE: 1 to answer, in params/shop.yaml or by --set",
        "  events.event_ts.format",
        "      either",
        '      in the file: format: "%d/%m/%Y"',
        '               or: format: "%m/%d/%Y"  # American',
        "      or --set 'events.event_ts.format=%d/%m/%Y'",
    ]


def test_changes_are_said_in_one_line_each():
    place = ("files", ("events", "a.csv", 0), "columns", "price")
    told = Changes(added={place: {"from": "x"}}, removed=[("slates",)], kept={("anonymous",): ("drop", "session")})
    assert changes_page(told, ["items: gone"]).splitlines() == [
        "CHANGES",
        "  added     events.price: {from: x}",
        "  removed   slates: it is no longer in the files",
        "  kept      anonymous: drop is yours; the files suggest session",
        "  NO LONGER FITS  items: gone",
    ]
    assert changes_page(Changes(), []) == ""
