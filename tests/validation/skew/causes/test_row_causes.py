"""Each cause holds only if the known runs and events prove it."""

import pytest

from feature_repo.definitions.views import ITEM_WINDOWS, SESSION_STATE
from validation.skew.causes.evidence import MISSING, ReadRow, Version
from validation.skew.causes.knowledge import Knowledge, KnownRun
from validation.skew.causes.row_causes import ROW_CAUSES

HOUR = 3600 * 1_000_000
DAY = 24 * HOUR
OLD, NEW = 100 * DAY, 101 * DAY  # event timestamps of two rows
AT = NEW + 10 * HOUR  # the time of the request
MAX_DELAY = 1_500_000
DONE = AT - MAX_DELAY  # a run that finished by this time has reached all scorers


def version(event_us, created_us=None, value=0.0):
    return Version(event_us, event_us + HOUR // 2 if created_us is None else created_us, {"orders_1d": value})


def row(read_us=OLD, missed=((NEW, NEW + HOUR // 2),), versions=None, view=ITEM_WINDOWS, at=AT):
    found = (version(OLD, value=1.0),) if versions is None else versions
    return ReadRow(view, 0, "k", at, read_us, missed, found)


def run(started_us, finished_us=None, last_us=None, newest_us=None):
    return KnownRun(0, started_us if last_us is None else last_us, started_us, finished_us, newest_us)


def knowing(*runs, pushed=(), view=ITEM_WINDOWS):
    return Knowledge({view.name: list(runs)}, frozenset(pushed), MAX_DELAY)


def holding(found, known):
    """name -> replacements of the causes that hold."""
    return {
        cause.name: list(cause.replacements(found, known)) for cause in ROW_CAUSES if cause.replacements(found, known)
    }


OLDER = [{"orders_1d": 1.0}]


def test_a_row_that_no_run_covers_is_not_yet_materialized():
    assert holding(row(), knowing(run(OLD + HOUR, OLD + 2 * HOUR))) == {"not yet materialized": OLDER}


def test_a_run_that_started_after_the_request_has_no_effect():
    known = knowing(run(OLD + HOUR, OLD + 2 * HOUR), run(AT + 1, AT + HOUR))
    assert holding(row(), known) == {"not yet materialized": OLDER}


@pytest.mark.parametrize("finished_us", [None, AT + 1, DONE + 1])
def test_a_run_that_has_not_finished_may_not_have_written_the_row(finished_us):
    assert holding(row(), knowing(run(AT - HOUR, finished_us))) == {"materialization under way": OLDER}


def test_a_row_that_was_not_in_the_files_of_a_finished_run_is_late():
    assert holding(row(), knowing(run(AT - HOUR, DONE, newest_us=OLD))) == {"late data": OLDER}


def test_a_row_that_was_created_after_the_start_of_a_finished_run_is_late():
    late = row(missed=((NEW, AT - HOUR + 1),))
    assert holding(late, knowing(run(AT - HOUR, DONE, newest_us=NEW))) == {"late data": OLDER}


@pytest.mark.parametrize("newest_us", [NEW, None])
def test_no_cause_holds_for_a_row_that_a_finished_run_must_have_written(newest_us):
    assert holding(row(), knowing(run(AT - HOUR, DONE, newest_us=newest_us))) == {}


def test_one_run_that_must_have_written_the_row_is_enough_against_late_data():
    known = knowing(run(AT - HOUR, DONE, newest_us=NEW), run(AT - 1, None), run(AT - 2 * HOUR, DONE, newest_us=OLD))
    assert "late data" not in holding(row(), known)


def test_a_cause_must_hold_for_every_missed_row():
    """The newest row has not been materialized. The row before it has, but online missed it too."""
    between = OLD + HOUR
    missed = ((NEW, NEW + HOUR // 2), (between, between + HOUR // 2))
    assert holding(row(missed=missed), knowing(run(OLD + 2 * HOUR, OLD + 3 * HOUR, newest_us=between))) == {}


def test_without_any_row_the_replacement_is_missing():
    assert holding(row(read_us=0, versions=()), knowing()) == {"not yet materialized": [MISSING]}


def test_the_replacement_for_an_older_row_that_has_expired_is_missing():
    far = row(at=OLD + 31 * DAY, missed=((OLD + 31 * DAY, OLD + 31 * DAY),))
    assert holding(far, knowing()) == {"not yet materialized": [MISSING]}


def test_an_older_row_that_the_log_does_not_have_explains_nothing():
    assert holding(row(versions=()), knowing()) == {}


def test_a_live_event_may_be_missed_until_the_max_delay():
    pushed = [(SESSION_STATE.name, "k", AT - MAX_DELAY)]
    waiting = row(
        read_us=AT - HOUR, missed=((AT - MAX_DELAY, 0),), versions=(version(AT - HOUR, value=1.0),), view=SESSION_STATE
    )
    assert holding(waiting, knowing(pushed=pushed)) == {"materialization under way": OLDER}


def test_no_cause_holds_for_a_live_event_that_is_missed_after_the_max_delay():
    lost_us = AT - MAX_DELAY - 1
    lost = row(read_us=AT - HOUR, missed=((lost_us, 0),), versions=(version(AT - HOUR, value=1.0),), view=SESSION_STATE)
    for runs in ((), (run(AT - 1),), (run(DONE - 2, DONE - 1, newest_us=OLD),)):
        assert holding(lost, knowing(*runs, pushed=[(SESSION_STATE.name, "k", lost_us)], view=SESSION_STATE)) == {}


def test_a_session_row_of_an_imported_log_is_not_yet_materialized_before_its_run():
    imported = row(read_us=0, missed=((AT - HOUR, 0),), versions=(), view=SESSION_STATE)
    assert holding(imported, knowing(view=SESSION_STATE)) == {"not yet materialized": [MISSING]}


def test_a_row_newer_than_the_request_is_missing_if_a_run_wrote_it_while_the_request_read():
    future = row(read_us=AT + 10, missed=(), versions=(version(AT + 10),))
    assert holding(future, knowing(run(AT + 20, AT + HOUR))) == {"materialization under way": [MISSING]}
    assert holding(future, knowing(run(AT + 20 + MAX_DELAY, AT + HOUR))) == {}
    assert holding(future, knowing()) == {}


def test_a_correction_is_unknown_to_a_run_that_started_before_it():
    corrected = (version(NEW, NEW + HOUR, 2.0), version(NEW, NEW + 1, 1.0))
    found = row(read_us=NEW, missed=(), versions=corrected)
    assert holding(found, knowing(run(NEW + 2, NEW + 3))) == {"correction": OLDER}


def test_no_cause_holds_for_a_correction_that_a_finished_run_must_have_read():
    corrected = (version(NEW, NEW + HOUR, 2.0), version(NEW, NEW + 1, 1.0))
    found = row(read_us=NEW, missed=(), versions=corrected)
    assert holding(found, knowing(run(NEW + 2, NEW + 3), run(NEW + HOUR, NEW + HOUR + 1))) == {}


def test_either_row_of_a_tie_may_be_read():
    tied = (version(NEW, NEW, 2.0), version(NEW, NEW, 1.0))
    found = row(read_us=NEW, missed=(), versions=tied)
    assert holding(found, knowing()) == {"tie": [{"orders_1d": 2.0}, {"orders_1d": 1.0}]}


@pytest.mark.parametrize(
    ("read_us", "is_valid", "is_future", "is_expired"),
    [
        (0, False, False, False),
        (AT, True, False, False),
        (AT + 1, False, True, False),
        (AT - 30 * DAY, True, False, False),
        (AT - 30 * DAY - 1, False, False, True),
    ],
)
def test_a_row_is_valid_from_its_timestamp_until_its_ttl_ends(read_us, is_valid, is_future, is_expired):
    found = row(read_us=read_us)
    assert (found.is_valid, found.is_future, found.is_expired) == (is_valid, is_future, is_expired)
