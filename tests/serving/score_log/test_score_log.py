"""The score log: every answer is on disk within the log's bounds, and none of its failures reaches a request."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from feature_repo.live.score_records import DAY_US, ScoreRecord, read_records, score_files, score_folder
from infra.clock import FixedClock
from infra.models.model_store import ModelStore
from serving.api.app import create_app
from serving.metrics import Metrics
from serving.score_log import writer
from serving.score_log.codec import frame
from serving.score_log.score_log import AT_ONCE_BYTES, ScoreLog
from tests.serving import world
from tests.serving.api.test_api import BODY
from tests.serving.test_workers import scorer, until
from tests.serving.world import FEATURES, NOW, us

pytestmark = pytest.mark.usefixtures("time_to_write")
DAY = 19_783  # 2024-03-01
AT = us(NOW)


@pytest.fixture
def time_to_write(monkeypatch):
    """The writer has a low priority: beside other tests it may wait long for a core."""
    monkeypatch.setattr("serving.score_log.score_log.CLOSE_TIMEOUT_S", 60)


def record(number=0, items=3, at=AT):
    ids = [f"item {i}" for i in range(items)]
    scores = np.arange(items, dtype=float)
    return ScoreRecord(f"r{number}", at, "fixed", ids, scores, "ranker-x", "1", "hash", False)


def matrix(items=3):
    return np.full((items, len(FEATURES)), np.nan, np.float32)


def settings_in(tmp_path, **changes):
    return world.settings_in(tmp_path, **{"score_log_matrix_share": 1.0, **changes})


def logged(settings):
    return [each for path in score_files(settings.live_dir) for each in read_records(path)]


def counted(metrics):
    lines = [line for line in metrics.text().decode().splitlines() if line.startswith("rerank_score_log_total")]
    return {line.split('"')[1]: int(float(line.split()[-1])) for line in lines}


def log_of(settings, records, metrics=None, **bounds):
    """The counts of a log that is closed at once."""
    metrics = metrics or Metrics()
    log = ScoreLog(settings, metrics, **bounds)
    log.start()
    for each in records:
        log.append(each, matrix(len(each.item_ids)))
    log.close()
    return counted(metrics)


def test_every_score_of_the_api_is_logged_as_it_was_answered(settings, tmp_path):
    mine = settings.model_copy(update={"data_dir": tmp_path, "score_log_matrix_share": 1.0})
    body = {**BODY, "items": [{"item_id": "a"}, {"item_id": "c", "features": {"price": 9.5}}, {"item_id": "z"}]}
    with TestClient(create_app(mine, FixedClock(NOW))) as client:
        answers = [client.post("/score", json=each).json() for each in (BODY, body)]
    first, second = logged(mine)
    for answer, found in zip(answers, (first, second), strict=True):
        assert answer["request_id"] == found.request_id
        scores = {item["item_id"]: item["score"] for item in answer["items"]}
        assert scores == dict(zip(found.item_ids, found.scores.tolist(), strict=True))
        np.testing.assert_array_equal(ModelStore(settings).load().ranker.score(found.matrix), found.scores)
    assert (first.user_id, first.session_id, first.context) == ("u", "s", {"store_id": "330"})
    row_us = us(world.ROW_AT)
    assert {view: times.tolist() for view, times in first.read_us.items()} == {
        "item_attributes": [row_us, row_us, row_us, 0],
        "item_windows": [row_us, row_us, 0, 0],
        "item_repeats": [row_us, row_us, 0, 0],
        "user_windows": [row_us],
        "user_history": [row_us],
        "session_state": [row_us],
        "item_companions": [row_us],  # the cart holds b alone
    }
    assert second.sent == [(1, {"price": 9.5})]
    assert second.matrix[1, FEATURES.index("price")] == 9.5
    assert (second.model_name, second.model_version) == (settings.model_name, "1")


def test_only_a_sampled_share_of_the_records_has_its_matrix(tmp_path):
    settings = settings_in(tmp_path, score_log_matrix_share=0.25)
    log_of(settings, [record(i) for i in range(400)])
    assert 60 <= sum(each.matrix is not None for each in logged(settings)) <= 140  # 100 ± 4.6 standard deviations


def test_all_records_are_logged_in_their_order_when_the_log_is_closed(tmp_path):
    settings = settings_in(tmp_path)
    assert log_of(settings, [record(i) for i in range(130)])["written"] == 130
    assert [each.request_id for each in logged(settings)] == [f"r{i}" for i in range(130)]


def test_records_that_the_pipe_takes_in_parts_arrive_whole(tmp_path, monkeypatch):
    settings, taken = settings_in(tmp_path), []

    def some_of(descriptor, parts):
        taken.append(os.write(descriptor, b"".join(parts)[: 1 + 97 * len(taken) % 500]))
        return taken[-1]

    monkeypatch.setattr(os, "writev", some_of)
    assert log_of(settings, [record(i) for i in range(30)])["written"] == 30
    assert [each.request_id for each in logged(settings)] == [f"r{i}" for i in range(30)]
    assert len(taken) > 30


def test_a_file_is_written_once_it_is_old_enough(tmp_path):
    settings = settings_in(tmp_path)
    log = ScoreLog(settings, Metrics(), file_age_s=0.3)
    log.start()
    log.append(record(), matrix())
    deadline = time.monotonic() + 10
    while not score_files(settings.live_dir) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [each.request_id for each in logged(settings)] == ["r0"]
    log.close()


def test_a_file_is_written_once_it_is_large_enough(tmp_path):
    settings = settings_in(tmp_path, score_log_mb=1)  # a quarter of it a file
    log_of(settings, [record(i, items=500) for i in range(20)])  # 160 kB of matrix each
    assert len(score_files(settings.live_dir)) > 1


def test_days_have_folders_of_their_own(tmp_path):
    settings = settings_in(tmp_path)
    log_of(settings, [record(0, at=DAY * DAY_US - 1), record(1, at=DAY * DAY_US)])
    assert [path.parent.name for path in score_files(settings.live_dir)] == ["day=2024-02-29", "day=2024-03-01"]


def test_workers_write_files_of_different_names(tmp_path):
    settings = settings_in(tmp_path)
    for number in range(3):
        log_of(settings, [record(number)])
    names = {path.name for path in score_files(settings.live_dir)}
    assert len(names) == 3
    assert all(name.startswith(f"{os.getpid()}-") for name in names)


def test_records_beyond_the_queues_bound_are_dropped_and_counted(tmp_path):
    settings, metrics = settings_in(tmp_path), Metrics()
    log = ScoreLog(settings, metrics, waiting_bytes=3 * len(frame(replace(record(), matrix=matrix()))))
    for number in range(10):  # nothing is sent yet
        log.append(record(number), matrix())
    assert counted(metrics)["dropped"] == 7
    log.start()
    log.close()
    assert [each.request_id for each in logged(settings)] == ["r0", "r1", "r2"]
    assert counted(metrics)["written"] == 3


def test_the_queue_has_room_again_after_the_writer_has_taken_its_records(tmp_path):
    settings, metrics = settings_in(tmp_path), Metrics()
    log = ScoreLog(settings, metrics, waiting_bytes=6_000)
    log.start()
    deadline = time.monotonic() + 10
    number = 0
    while counted(metrics)["written"] < 3 and time.monotonic() < deadline and number < 3:
        before = counted(metrics)["dropped"]
        log.append(record(number), matrix())
        number += counted(metrics)["dropped"] == before
        time.sleep(0.05)
    log.close()
    assert [each.request_id for each in logged(settings)] == ["r0", "r1", "r2"]


def test_the_oldest_files_are_removed_when_the_log_reaches_its_size(tmp_path):
    settings, metrics = settings_in(tmp_path, score_log_mb=1), Metrics()
    rng = np.random.default_rng(1)
    log = ScoreLog(settings, metrics)
    log.start()
    for number in range(30):
        noise = rng.normal(size=(1000, len(FEATURES))).astype(np.float32)  # 320 kB that do not compress
        log.append(record(number, items=1000), noise)
    log.close()
    ids = [each.request_id for each in logged(settings)]
    assert 1 <= len(ids) < 10
    assert ids == [f"r{i}" for i in range(30 - len(ids), 30)]
    assert sum(path.stat().st_size for path in score_files(settings.live_dir)) <= 1 << 20
    assert counted(metrics) == {"written": 30, "removed": 30 - len(ids), "dropped": 0, "failed": 0, "damaged": 0}


@pytest.mark.parametrize("content", [b"", b"PAR1", None, bytes(5000)], ids=["empty", "short", "truncated", "zeros"])
def test_a_damaged_file_that_is_the_oldest_is_removed_and_counted_and_new_ones_are_written(tmp_path, content, caplog):
    settings = settings_in(tmp_path, score_log_mb=1)
    log_of(settings, [record()])
    (oldest,) = score_files(settings.live_dir)
    oldest.write_bytes(oldest.read_bytes()[:-100] if content is None else content)
    os.utime(oldest, (0, 0))
    assert score_files(settings.live_dir) == []
    assert str(oldest) in caplog.text
    metrics = Metrics()
    log = ScoreLog(settings, metrics, file_age_s=0.0)
    log.start()
    rng = np.random.default_rng(1)
    for number in range(12):
        log.append(record(number, items=1000), rng.normal(size=(1000, len(FEATURES))).astype(np.float32))
    log.close()
    found = counted(metrics)
    assert not oldest.exists()
    assert (found["written"], found["failed"], found["damaged"]) == (12, 0, 1)
    assert [each.request_id for each in logged(settings)][-1] == "r11"


def test_a_file_that_cannot_be_removed_does_not_stop_the_log(tmp_path):
    settings, metrics = settings_in(tmp_path, score_log_mb=1), Metrics()
    stuck = score_folder(settings.live_dir) / "day=2024-02-01" / "w-1.parquet"
    (stuck / "in it").mkdir(parents=True)
    log = ScoreLog(settings, metrics, file_age_s=0.0)
    log.start()
    rng = np.random.default_rng(1)
    for number in range(12):
        log.append(record(number, items=1000), rng.normal(size=(1000, len(FEATURES))).astype(np.float32))
    log.close()
    assert stuck.exists()
    assert (counted(metrics)["written"], counted(metrics)["failed"]) == (12, 0)
    assert counted(metrics)["removed"] > 0


def test_a_log_of_size_zero_is_off(tmp_path):
    settings = settings_in(tmp_path, score_log_mb=0)
    assert log_of(settings, [record()]) == {"written": 0, "dropped": 0, "failed": 0, "removed": 0, "damaged": 0}
    assert not score_folder(settings.live_dir).exists()


def test_a_folder_that_cannot_be_written_fails_no_request_and_is_counted(settings, tmp_path):
    (tmp_path / settings.dataset).write_text("a file where a folder should be")
    mine = settings.model_copy(update={"data_dir": tmp_path})
    metrics = Metrics()
    with TestClient(create_app(mine, FixedClock(NOW), metrics)) as client:
        assert [client.post("/score", json=BODY).status_code for _ in range(3)] == [200] * 3
    assert counted(metrics)["failed"] == 3


def test_a_record_that_cannot_be_encoded_does_not_end_the_log(tmp_path):
    settings, metrics = settings_in(tmp_path), Metrics()
    log = ScoreLog(settings, metrics, file_age_s=0.0)
    log.start()
    log.append(replace(record(0), user_id="\ud800"), matrix())  # not valid Unicode
    time.sleep(0.6)
    log.append(record(1), matrix())
    log.close()
    assert [each.request_id for each in logged(settings)] == ["r1"]
    assert (counted(metrics)["failed"], counted(metrics)["written"]) == (1, 1)


def writers() -> set[int]:
    """Pids of the writers that this process started, those of other apps included."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"serving.score_log.writer" in (path / "cmdline").read_bytes():
                found.add(int(path.name))
        except OSError:  # it has ended
            continue
    return found


def writer_since(before: set[int]) -> int:
    until(lambda: len(writers() - before) == 1)
    return (writers() - before).pop()


def test_a_writer_that_dies_is_replaced_and_its_records_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("serving.score_log.score_log.RESTART_S", 0.1)
    settings, metrics, others = settings_in(tmp_path), Metrics(), writers()
    log = ScoreLog(settings, metrics, file_age_s=0.5)
    log.start()
    log.append(record(0), matrix())
    first = writer_since(others)
    until(lambda: counted(metrics)["written"] == 1)
    log.append(record(1), matrix())
    until(lambda: not log.waiting)
    os.kill(first, signal.SIGKILL)  # with the second record in its memory
    until(lambda: counted(metrics)["failed"] == 1)
    log.append(record(2), matrix())
    log.close()
    assert [each.request_id for each in logged(settings)] in (["r0", "r2"], ["r2", "r0"])
    assert counted(metrics) == {"written": 2, "removed": 0, "dropped": 0, "failed": 1, "damaged": 0}


def test_records_are_counted_as_failed_if_no_writer_can_be_started(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", str(tmp_path / "no python"))
    assert log_of(settings_in(tmp_path), [record(i) for i in range(3)])["failed"] == 3


def test_a_scorer_can_end_while_its_writer_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr("serving.score_log.score_log.CLOSE_TIMEOUT_S", 0.5)
    settings, metrics, others = settings_in(tmp_path), Metrics(), writers()
    log = ScoreLog(settings, metrics)
    log.start()
    log.append(record(0), matrix())
    os.kill(writer_since(others), signal.SIGSTOP)
    frames = [frame(replace(record(number, items=2000), matrix=matrix(2000))) for number in range(20)]
    for number in range(20):  # more than the pipe takes
        log.append(record(number, items=2000), matrix(2000))
    started = time.monotonic()
    log.close()
    assert time.monotonic() - started < 10
    until(lambda: counted(metrics)["failed"] + counted(metrics)["written"] == 21)  # another writer gets the rest
    offered = writer.PIPE_BYTES + AT_ONCE_BYTES + 2 * len(frames[0])
    assert 0 < counted(metrics)["failed"] * len(frames[0]) < offered < sum(map(len, frames))


def test_a_terminals_signals_do_not_reach_the_writer(tmp_path):
    others = writers()
    log = ScoreLog(settings_in(tmp_path), Metrics())
    log.start()
    log.append(record(0), matrix())
    try:
        assert os.getpgid(writer_since(others)) != os.getpgid(0)
    finally:
        log.close()


def test_sent_records_are_written_after_the_scorer_dies(tmp_path):
    """A container's SIGTERM reaches the writer too; then the kernel closes the dead scorer's end of the pipe."""
    settings = settings_in(tmp_path)
    folder = score_folder(settings.live_dir)
    command = [sys.executable, "-m", "serving.score_log.writer", str(folder), "worker", str(1 << 30), "0.0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(frame(record(0)))
        process.stdin.flush()
        assert process.stdout.readline() == b"written 1\n"
        process.send_signal(signal.SIGTERM)
        process.stdin.write(frame(record(1)))
        process.stdin.close()
        assert process.wait(20) == 0
    assert [each.request_id for each in logged(settings)] == ["r0", "r1"]


def test_partial_files_of_a_dead_process_are_removed_later(tmp_path):
    settings = settings_in(tmp_path)
    folder = score_folder(settings.live_dir) / "day=2024-03-01"
    folder.mkdir(parents=True)
    for name, age_s in ((".old.part", 3600), (".new.part", 1)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - age_s,) * 2)
    log_of(settings, [record()])
    assert {path.name for path in folder.glob(".*")} == {".new.part"}


def test_readers_never_see_a_partial_file(tmp_path):
    settings = settings_in(tmp_path)
    log = ScoreLog(settings, Metrics(), file_age_s=0.0)
    log.start()
    seen, broken, is_over = set(), [], threading.Event()

    def read():
        while not is_over.is_set():
            for path in score_files(settings.live_dir):
                try:
                    seen.update(pq.read_table(path)["request_id"].to_pylist())
                except Exception as error:
                    broken.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        log.append(record(number, items=200), matrix(200))
        time.sleep(0.03)
    log.close()
    is_over.set()
    reader.join()
    assert not broken
    assert seen


def _workers_serving(metrics: str) -> float:
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("rerank_model{"))


def test_after_worker_processes_are_stopped_all_scores_are_on_disk(settings, tmp_path):
    mine = settings.model_copy(update={"data_dir": tmp_path})
    with scorer(mine, RERANK_WORKERS="2", RERANK_REDIS_TIMEOUT_S="5") as (_, url, _):
        until(lambda: _workers_serving(httpx.get(f"{url}/metrics").text) == 2)
        with ThreadPoolExecutor(8) as pool:  # each on a connection of its own, so that both workers get some
            posted = [pool.submit(httpx.post, f"{url}/score", json=BODY, timeout=30) for _ in range(40)]
        answers = {each.result().json()["request_id"] for each in posted}
    assert {each.request_id for each in logged(mine)} == answers
    assert len(answers) == 40
    workers = {each for path in score_files(mine.live_dir) for each in pq.read_table(path)["worker"].to_pylist()}
    assert len(workers) == len({path.name.rsplit("-", 1)[0] for path in score_files(mine.live_dir)}) == 2


@pytest.mark.parametrize("field", ["score_log_mb", "score_log_matrix_share"])
def test_settings_out_of_range_are_refused(tmp_path, field):
    with pytest.raises(ValueError, match=field):
        settings_in(tmp_path, **{field: -1})
