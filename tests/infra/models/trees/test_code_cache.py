"""Code that is kept on disk, and everything that makes it count as not there."""

from __future__ import annotations

import os
import threading
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from infra.models.trees.code_cache import CodeCache

KEY = "a" * 64


@pytest.fixture
def cache(tmp_path: Path) -> CodeCache:
    kept = CodeCache(tmp_path / "state" / "compiled")
    kept.write(KEY, b"code")
    return kept


def test_what_was_written_is_read_back(cache: CodeCache) -> None:
    assert cache.read(KEY) == b"code"
    assert cache.read("b" * 64) is None
    cache.write(KEY, b"other")
    assert cache.read(KEY) == b"other"


def test_only_its_owner_can_open_the_folder_and_its_files_and_nothing_is_left_half_written(cache: CodeCache) -> None:
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    assert [(path.name, path.stat().st_mode & 0o777) for path in cache.folder.iterdir()] == [(KEY, 0o600)]


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_that_others_can_open_is_neither_read_nor_written(cache: CodeCache, mode: int) -> None:
    cache.folder.chmod(mode)
    assert cache.read(KEY) is None
    cache.write("b" * 64, b"code")
    assert [path.name for path in cache.folder.iterdir()] == [KEY]


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_file_that_others_can_open_is_not_read(cache: CodeCache, mode: int) -> None:
    (cache.folder / KEY).chmod(mode)
    assert cache.read(KEY) is None


def test_links_are_not_followed(cache: CodeCache, tmp_path: Path) -> None:
    (cache.folder / KEY).rename(tmp_path / "elsewhere")
    (cache.folder / KEY).symlink_to(tmp_path / "elsewhere")
    assert cache.read(KEY) is None
    cache.folder.rename(tmp_path / "moved")
    cache.folder.symlink_to(tmp_path / "moved")
    assert CodeCache(cache.folder).read(KEY) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_read(cache: CodeCache) -> None:
    os.chown(cache.folder / KEY, 65534, -1)
    assert cache.read(KEY) is None


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 36])
def test_a_damaged_file_is_not_read(cache: CodeCache, content: bytes) -> None:
    (cache.folder / KEY).write_bytes(content)
    assert cache.read(KEY) is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = CodeCache(tmp_path / "file" / "compiled")
    cache.write(KEY, b"code")
    assert cache.read(KEY) is None


def hold(folder: Path, begun: Any, give_back: Any) -> None:
    with CodeCache(folder).alone(KEY, threading.Event()):
        begun.set()
        give_back.wait(60)


def test_one_process_at_a_time_is_inside_for_a_key(cache: CodeCache) -> None:
    context = get_context("spawn")
    begun, give_back = context.Event(), context.Event()
    other = context.Process(target=hold, args=(cache.folder, begun, give_back))
    other.start()
    assert begun.wait(60)
    inside = threading.Event()

    def enter() -> None:
        with cache.alone(KEY, threading.Event()):
            inside.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    with cache.alone("b" * 64, threading.Event()):  # another key's lock is free
        assert not inside.wait(0.3)
    give_back.set()
    assert inside.wait(60)
    waiting.join()
    other.join()


def test_who_is_told_to_stop_does_not_wait(cache: CodeCache) -> None:
    stop = threading.Event()
    stop.set()
    with cache.alone(KEY, threading.Event()), cache.alone(KEY, stop):
        pass


def test_where_nothing_can_be_written_nobody_waits(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = CodeCache(tmp_path / "file" / "compiled")
    with nowhere.alone(KEY, threading.Event()), nowhere.alone(KEY, threading.Event()):
        pass
