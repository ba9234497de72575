"""The import report of a small log: what each section says."""

from datetime import timedelta

import pytest

from feature_repo.datasets.import_notes import ImportNote, write_notes
from infra.settings import Settings
from tests.small_log import DECLARATION, at, event, impression, item
from tests.validation.gates.measured import measured, opened
from validation.gates.facts.log_facts import LogFacts
from validation.gates.report.content import Page, Plot
from validation.gates.report.html import html
from validation.gates.report.import_report.sections import import_sections
from validation.gates.report.markdown import markdown

ITEMS = [item("a"), item("b", price=None), item("c")]
EVENTS = [
    event(n, at(n, 60), "order" if n % 2 else "view", "a", user_id=f"u{n}", session_id=f"s{n}") for n in range(10)
]
SLATES = [
    impression(f"l{n}", i, at(n), each, int(i == 0 and n % 2 == 1), user_id=f"u{n}", session_id=f"s{n}")
    for n in range(10)
    for i, each in enumerate("ab")
]


@pytest.fixture
def settings(tmp_path):
    found = Settings(_env_file=None, data_dir=tmp_path, dataset="tiny")
    found.log_dir.mkdir(parents=True)
    return found


def told(settings: Settings, facts: LogFacts) -> str:
    return markdown(Page("t", "a", "passed", "v", "", import_sections(settings, DECLARATION, facts)))


def test_it_tells_rows_spans_and_what_is_in_them(settings):
    found = told(settings, measured(ITEMS, EVENTS, SLATES))
    assert "| events | 10 | 2024-03-01 00:01 | 2024-03-10 00:01 | 9 days |" in found
    assert "| slates with a positive | 5 (50.0%) |" in found
    assert "| positives among all candidates | 5 (25.0%) |" in found
    assert "| items in the catalog | 3 |" in found


def test_it_tells_what_was_dropped_or_that_nothing_is_said_of_it(settings):
    assert "The import left no note" in told(settings, measured(ITEMS, EVENTS, SLATES))
    write_notes(settings.log_dir, [ImportNote("events", "dropped", 1204, "a return", "order 7")])
    assert "| events | dropped | 1,204 | a return | order 7 |" in told(settings, measured(ITEMS, EVENTS, SLATES))
    write_notes(settings.log_dir, [ImportNote("events", "dropped", 1204, "a return")])
    assert "| events | dropped | 1,204 | a return |\n" in told(settings, measured(ITEMS, EVENTS, SLATES))


def test_it_tells_which_ids_are_shared_in_both_directions_and_by_which_change_more_would_be(settings):
    events = [{**each, "user_id": f"{each['user_id']}.0"} for each in EVENTS]
    found = told(settings, measured(ITEMS, events, SLATES))
    assert "| users of impressions | events | 0 | 10 | 0.0% | 0.0% | 'u0', 'u1', 'u2' |" in found
    assert "| items of the catalog | events | 1 | 3 | 33.3% | 33.3% | 'b', 'c' |" in found
    assert "Users of impressions and events: 10 more would match without regard to a trailing '.0'" in found
    assert "10 of 10 sessions (100.0%) are of more than one user; 's0' is of 2." in found


def test_it_tells_labels_per_split_and_positives_per_position(settings):
    found = told(settings, measured(ITEMS, EVENTS, SLATES))
    assert "| train | 7 | 3 (42.9%) | 0 | 7 | 14 | 2024-03-01 00:00 | 2024-03-07 00:00 |" in found
    assert "| train | 11 | 3 | 21.4% |" in found
    assert "| 0 | 10 | 5 | 50.0% |\n| 1 | 10 | 0 | 0.0% |" in found
    assert "shown_position is not known for any row." in found


def test_it_tells_whether_outcomes_are_early(settings):
    found = told(settings, measured(ITEMS, EVENTS, SLATES))
    assert "| 1 | 5 | order | 5 | 0 | 0.0% |" in found
    early = [{**each, "event_ts": each["event_ts"] - timedelta(hours=1)} for each in EVENTS]
    found = told(settings, measured(ITEMS, early, SLATES))
    assert "5 of 5 positives (100%) have their outcome before their slate and none at or after it. No model" in found


def test_it_tells_actions_prices_and_columns(settings):
    found = told(settings, measured(ITEMS, EVENTS, SLATES))
    assert "| order | 5 | 50.0% | 5 | 100.0% |" in found
    assert "| items.price | 66.7% | 2.00 | 2.00 |" in found
    assert "| price | decimal(12,2) | 1 | 33.3% | 1 | 2.00 | 2.00 |" in found
    assert "0 rows of events (0.0%) are the same as another but for their id." in found


def test_it_plots_events_slates_and_what_is_new_by_day(settings):
    sections = {each.anchor: each for each in import_sections(settings, DECLARATION, measured(ITEMS, EVENTS, SLATES))}
    plots = [block for block in sections["days"].blocks if isinstance(block, Plot)]
    assert [plot.alternative for plot in plots] == [
        "events by action per day", "slates and their positives per day", "users and items seen first per day",
    ]  # fmt: skip
    assert list(plots[0].figure.axes[0].get_lines()[0].get_ydata()) == [0, 1] * 5  # orders, every other day


def test_a_table_that_cannot_be_read_is_named_where_it_is_missed(settings):
    connection = opened(ITEMS, (), SLATES)
    connection.unregister("events")
    found = told(settings, LogFacts(connection, ("items", "impressions"), at(100)))
    assert "*Not measured: events cannot be read as declared.*" in found
    assert "| train | 7 |" in found


def test_a_log_without_slates_and_one_without_events_are_told_too(settings):
    found = told(settings, measured(ITEMS, EVENTS, []))
    assert "*The log has no slates, so no ranker can be trained on it.*" in found
    found = told(settings, measured(ITEMS, [], SLATES))
    assert "*The log has no events." in found


def test_equal_logs_give_equal_pages(settings):
    pages = {
        html(Page("t", "a", "passed", "v", "", import_sections(settings, DECLARATION, measured(ITEMS, EVENTS, SLATES))))
        for _ in range(2)
    }
    assert len(pages) == 1
