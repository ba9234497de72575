"""The page of a gate: whole in itself, what is wrong first, equal bytes for equal outcomes."""

import re

from validation.gates.report.content import Card, Section, Table, Text
from validation.gates.report.gate_page import MARKDOWN_FILE, PAGE_FILE, gate_page, write_pages
from validation.gates.report.outcome import GateReport, Outcome
from validation.gates.rules.rule import FactRule, Rule, Severity

NOT_NULL = Rule(table="items", column="item_id", text="not null", advice="Leave such rows out.")
PRICE = Rule(table="items", column="price", text="at least 0")
BRAND = Rule(table="items", column="brand", text="known", severity=Severity.WARNING)
EARLY = FactRule(
    table="impressions",
    column="label",
    text="its outcome is not before the slate",
    severity=Severity.WARNING,
    advice="Look at the time zones.",
    holds_promotion=True,
    problem=lambda _: "9 of 9 positives",
)


def report(*outcomes: Outcome, gate: str = "log") -> GateReport:
    return GateReport(gate, "shop", outcomes)


def text_of(tmp_path, *outcomes: Outcome, about=(), gate: str = "log") -> str:
    write_pages(tmp_path, report(*outcomes, gate=gate), about)
    return (tmp_path / PAGE_FILE).read_text()


def test_failures_come_first_then_warnings_then_what_the_data_are_then_the_rest(tmp_path):
    found = gate_page(
        report(
            Outcome(PRICE, True, 0),
            Outcome(BRAND, False, 3, "brand = null"),
            Outcome(NOT_NULL, False, 2, "item_id = null"),
        ),
        [Section("data", "The data", [Text("2 rows")])],
    )
    assert [section.title for section in found.sections] == ["What is wrong", "Warnings", "The data", "All checks"]
    assert list(found.sections[0].blocks) == [
        Card("blocking", "items.item_id", "not null", "2 violations, e.g. item_id = null", "Leave such rows out.")
    ]


def test_the_verdict_says_what_follows():
    cases = {
        ("passed", "Passed."): [Outcome(PRICE, True, 0)],
        ("warning", "Passed, with 1 warning."): [Outcome(BRAND, False, 1)],
        ("blocking", "Passed, but held back."): [Outcome(EARLY, False, 1, "9 of 9 positives")],
        ("blocking", "Blocked."): [Outcome(NOT_NULL, False, 1), Outcome(BRAND, False, 1)],
    }
    for expected, outcomes in cases.items():
        found = gate_page(report(*outcomes), [])
        assert (found.severity, found.verdict) == expected
    assert "promote no model" in gate_page(report(Outcome(EARLY, False, 1, "x")), []).more
    assert gate_page(report(*cases["blocking", "Blocked."]), []).more.startswith(
        "1 rule that must hold does not. The pipeline stops here until that is mended. 1 warning below."
    )


def test_rules_that_were_not_checked_block_and_are_listed_openly(tmp_path):
    found = text_of(tmp_path, Outcome(NOT_NULL, None, 0), Outcome(PRICE, True, 0))
    assert "1 rule could not be checked" in found
    assert found.index("<td>not null</td>") < found.index("<details>") < found.index("<td>at least 0</td>")
    assert "<strong>Blocked.</strong>" in found


def test_what_holds_back_the_promotion_comes_before_other_warnings(tmp_path):
    found = text_of(tmp_path, Outcome(BRAND, False, 1), Outcome(EARLY, False, 1, "9 of 9 positives"))
    assert found.index("9 of 9 positives") < found.index("items.brand")
    assert "<dt>what to do</dt><dd>Look at the time zones.</dd>" in found


def test_the_page_loads_nothing_and_links_to_what_is_beside_it(tmp_path):
    found = text_of(tmp_path, Outcome(BRAND, False, 1, "<script src=//evil>"))
    assert "<script" not in found
    assert "&lt;script src=//evil&gt;" in found
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', found) == ["index.html", "summary.md"]
    assert "url(" not in found
    assert "@import" not in found


def test_equal_outcomes_give_equal_bytes(tmp_path):
    outcomes = [Outcome(BRAND, False, 1, "x"), Outcome(PRICE, True, 0)]
    assert text_of(tmp_path, *outcomes) == text_of(tmp_path, *outcomes)


def test_only_what_is_said_about_data_is_written_as_markdown_too(tmp_path):
    text_of(tmp_path, Outcome(PRICE, True, 0), gate="features")
    assert not (tmp_path / MARKDOWN_FILE).exists()
    about = [Section("data", "The data", [Table(("a|b",), [("1",)]), Text("one row")])]
    text_of(tmp_path, Outcome(BRAND, False, 2, "x"), about=about)
    written = (tmp_path / MARKDOWN_FILE).read_text()
    assert written.startswith("# Import report: shop\n")
    assert "**Passed, with 1 warning.**" in written
    assert "- **warning** `items.brand`: expected: known. Found: 2 violations, e.g. x." in written
    assert "## The data\n\n| a\\|b |\n| --- |\n| 1 |\n\none row\n" in written
