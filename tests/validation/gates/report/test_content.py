"""Figures as a reader sees them."""

from validation.gates.report.content import number, percent


def test_a_share_that_is_not_nothing_does_not_look_like_nothing():
    assert [percent(*each) for each in ((0, 10), (1, 10_000), (1, 8), (9_999, 10_000), (10, 10), (0, 0))] == [
        "0.0%", "< 0.1%", "12.5%", "> 99.9%", "100.0%", "-",
    ]  # fmt: skip


def test_numbers_have_separators():
    assert number(1234567) == "1,234,567"
