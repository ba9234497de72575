"""The files of a day that is over become one, and each event is read once at any step of it."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from feature_repo.live import day_files
from feature_repo.live.day_files import put_days_together
from feature_repo.live.event import LiveEvent
from feature_repo.live.event_files import SCHEMA, event_files, event_folder, reading, removing, write_batch

DAY_US = 24 * 3600 * 1_000_000
NOON_US = 1_709_294_400_000_000  # 2024-03-01


def write(live_dir: Path, batch: int, day: int = 0, events: int = 3) -> list[Path]:
    """Batch ``batch`` of the stream: its events are numbered on."""
    found = [
        (
            NOON_US + day * DAY_US + number,
            LiveEvent(event_id=f"e{batch}-{number}", user_id="u", session_id="s", action="view", event_us=NOON_US),
        )
        for number in range(events)
    ]
    return write_batch(live_dir, f"{batch}-0", f"{batch}-{events - 1}", found)


def logged(live_dir: Path) -> list[str]:
    return [id for path in event_files(live_dir) for id in pq.read_table(path)["event_id"].to_pylist()]


def on_disk(live_dir: Path) -> list[str]:
    return sorted(path.name for path in event_folder(live_dir).glob("day=*/*"))


def some_days(live_dir: Path) -> list[str]:
    """Three batches on the first day, the tenth batch before and after midnight. Returns the ids, in order."""
    for batch in (8, 9, 10):
        write(live_dir, batch)
    write(live_dir, 11, day=1)
    return [f"e{batch}-{number}" for batch in (8, 9, 10, 11) for number in range(3)]


def test_a_day_that_is_over_becomes_one_file_in_the_order_of_acceptance(tmp_path: Path) -> None:
    expected = some_days(tmp_path)
    assert put_days_together(tmp_path) == 1
    assert on_disk(tmp_path) == ["11-0_11-2.parquet", "8-0_10-2.day.parquet"]
    assert logged(tmp_path) == expected
    (day_file, _) = event_files(tmp_path)
    assert pq.read_schema(day_file).equals(SCHEMA)
    assert pq.read_metadata(day_file).num_row_groups == 1
    assert put_days_together(tmp_path) == 0


def test_events_that_come_late_for_a_day_are_added_to_its_file(tmp_path: Path) -> None:
    expected = some_days(tmp_path)
    put_days_together(tmp_path)
    write(tmp_path, 12)
    assert Counter(logged(tmp_path)) == Counter([*expected, "e12-0", "e12-1", "e12-2"])
    assert put_days_together(tmp_path) == 1
    assert on_disk(tmp_path) == ["11-0_11-2.parquet", "8-0_12-2.day.parquet"]
    assert Counter(logged(tmp_path)) == Counter([*expected, "e12-0", "e12-1", "e12-2"])


@pytest.mark.parametrize("dies_in", ["write_file", "removing", "unlink"])
def test_each_event_is_read_once_after_a_kill_at_any_step(
    dies_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    expected = some_days(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path if dies_in == "unlink" else day_files, dies_in, die)
        with pytest.raises(KeyboardInterrupt):
            put_days_together(tmp_path)
    assert sorted(logged(tmp_path)) == sorted(expected)
    put_days_together(tmp_path)
    assert logged(tmp_path) == expected
    assert on_disk(tmp_path) == ["11-0_11-2.parquet", "8-0_10-2.day.parquet"]


def test_a_batch_that_is_drained_again_after_its_day_was_put_together_is_not_doubled(tmp_path: Path) -> None:
    expected = some_days(tmp_path)
    put_days_together(tmp_path)
    write(tmp_path, 9)
    write(tmp_path, 11, day=1)
    assert logged(tmp_path) == expected


def test_a_batch_of_a_redis_that_was_replaced_is_kept_although_its_ids_are_older(tmp_path: Path) -> None:
    expected = some_days(tmp_path)
    put_days_together(tmp_path)
    write(tmp_path, 9, events=2)  # another batch: its ids are inside the day file's
    assert Counter(logged(tmp_path)) == Counter([*expected, "e9-0", "e9-1"])


def test_no_file_is_removed_while_somebody_reads(tmp_path: Path) -> None:
    expected = some_days(tmp_path)
    with reading(tmp_path), reading(tmp_path):
        files = event_files(tmp_path)
        put_days_together(tmp_path)
        paths = ", ".join(f"'{path}'" for path in files)
        found = duckdb.execute(f"SELECT count(DISTINCT event_id), count(*) FROM read_parquet([{paths}])").fetchall()[0]
        assert found == (len(expected), len(expected))
        with pytest.raises(BlockingIOError), removing(tmp_path):
            pass
    put_days_together(tmp_path)
    assert len(on_disk(tmp_path)) == 2


def test_readers_that_read_meanwhile_see_each_event_once(tmp_path: Path) -> None:
    stopping, seen = threading.Event(), []

    def read() -> None:
        while not stopping.is_set():
            with reading(tmp_path):
                files = event_files(tmp_path)
                seen.append(Counter(id for path in files for id in pq.read_table(path)["event_id"].to_pylist()))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for day in range(6):
        for batch in range(3):
            write(tmp_path, 10 * day + batch, day)
    expected = Counter(logged(tmp_path))
    for reader in readers:
        reader.start()
    put_days_together(tmp_path)
    put_days_together(tmp_path)
    stopping.set()
    for reader in readers:
        reader.join(30)
    assert seen
    assert all(found == expected for found in seen)
