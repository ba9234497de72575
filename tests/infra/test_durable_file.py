"""What must be on disk, and when."""

from __future__ import annotations

import os

from infra.durable_file import replace_durably, write_durably


def test_the_data_is_synced_before_the_rename_and_the_folder_after_it(tmp_path, monkeypatch):
    partial, path = tmp_path / ".f.part", tmp_path / "f"
    partial.write_text("whole")
    synced = []
    real = os.fsync

    def noting(handle):
        synced.append((os.readlink(f"/proc/self/fd/{handle}"), path.exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", noting)
    replace_durably(partial, path)
    assert synced == [(str(partial), False), (str(tmp_path), True)]
    assert path.read_text() == "whole"
    assert not partial.exists()


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "f"
    write_durably(path, b"one, and longer")
    write_durably(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]
