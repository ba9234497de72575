"""Charts that several reports draw."""

from datetime import date

from infra.report_page.charts import LINES, OTHERS, bars, by_day, with_others

FIRST, SECOND, THIRD = (date(2024, 3, day) for day in (1, 2, 3))


def test_a_day_without_a_count_is_drawn_as_none():
    (axes,) = by_day({"view": {FIRST: 3, THIRD: 1}, "order": {SECOND: 2}}, "events").axes
    assert [list(line.get_ydata()) for line in axes.get_lines()] == [[3, 0, 1], [0, 2, 0]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["view", "order"]


def test_what_has_no_line_of_its_own_is_added_up():
    series = {f"action{n}": {FIRST: n, SECOND: 1} for n in range(len(LINES) + 2)}
    found = with_others(series)
    assert list(found) == [*(f"action{n}" for n in range(len(LINES) - 1)), OTHERS]
    assert found[OTHERS] == {FIRST: 4 + 5 + 6, SECOND: 3}
    assert with_others({"view": {FIRST: 1}}) == {"view": {FIRST: 1}}


def test_shares_have_percent_on_their_axis():
    (axes,) = bars(["0", "1"], [0.5, 0.25], "position", "share", shares=True).axes
    assert [bar.get_height() for bar in axes.patches] == [0.5, 0.25]
    assert axes.yaxis.get_major_formatter()(0.5).startswith("50")
