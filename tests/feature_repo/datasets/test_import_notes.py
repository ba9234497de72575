"""Notes of an adapter: written beside the log, read back, refused where they are something else."""

import json

import pytest

from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.import_notes import NOTES_FILE, ImportNote, read_notes, write_notes
from feature_repo.datasets.log_writer import LogWriter
from tests.small_log import DECLARATION, item, write_log

RETURNS = ImportNote("events", "dropped", 12, "the quantity is negative (a return)", "order 7, item café")


def test_notes_are_read_back_in_their_order(tmp_path):
    notes = [RETURNS, ImportNote("items", "price set to null", 3, "it is 0")]
    assert write_notes(tmp_path, notes) == tmp_path / NOTES_FILE
    assert read_notes(tmp_path) == notes


def test_a_note_on_nothing_is_left_out(tmp_path):
    write_notes(tmp_path, [ImportNote("events", "dropped", 0, "no user"), RETURNS])
    assert read_notes(tmp_path) == [RETURNS]


def test_a_log_without_the_file_has_no_notes(tmp_path):
    assert read_notes(tmp_path) == []


@pytest.mark.parametrize(
    "body",
    [{"table": "events"}, [{"table": "events"}], ["dropped"], [{"table": "e", "what": "d", "count": "2", "why": "w"}]],
)
def test_a_file_that_holds_something_else_is_named_with_what_it_should_hold(tmp_path, body):
    (tmp_path / NOTES_FILE).write_text(json.dumps(body))
    with pytest.raises(BadSource, match=f"{NOTES_FILE}: is not a list of objects with table, what, count, why"):
        read_notes(tmp_path)


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="a count from 0"):
        ImportNote("events", "dropped", -1, "no user")


def test_the_notes_of_a_writer_are_published_with_its_log_and_replaced_with_it(tmp_path):
    out = tmp_path / "log"
    write_log(out, items=[item("a")], events=[], impressions=[], notes=[RETURNS])
    assert read_notes(out) == [RETURNS]
    write_log(out, items=[item("a")], events=[], impressions=[])
    assert read_notes(out) == []
    assert not (out / NOTES_FILE).exists()


def test_notes_of_a_log_that_is_not_published_are_not_either(tmp_path):
    def stopped() -> None:
        with LogWriter(tmp_path / "log", DECLARATION) as log:
            log.note(RETURNS)
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        stopped()
    assert list(tmp_path.iterdir()) == []
