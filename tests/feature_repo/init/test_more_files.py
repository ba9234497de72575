"""A further run after files came, went or changed their columns: no row counts twice, and the user's lines stay."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.feature_repo.init.guessing import Project
from tests.feature_repo.init.test_files_of_shops import HEADER, text


def paths(project: Project) -> list[str]:
    return [each["path"] for each in project.log()["files"]]


def first(project: Project, tmp_path: Path) -> Path:
    source = tmp_path / "in"
    source.mkdir()
    (source / "events_1.csv").write_text(text())
    assert project.run(source)[0] == 0
    assert paths(project) == ["events_1.csv"]
    return source


def change(project: Project, old: str, new: str) -> None:
    before = project.params().read_text()
    assert old in before
    project.params().write_text(before.replace(old, new))


def test_an_edited_entry_takes_in_a_second_file(project: Project, tmp_path: Path) -> None:
    source = first(project, tmp_path)
    change(project, "event_ts: {from: event_time}", "event_ts: {from: event_time, zone: Europe/Paris}")
    (source / "events_2.csv").write_text(text())
    status, printed = project.run(source)
    assert (status, "events, path: events_1.csv is events_*.csv now" in printed) == (0, True)
    assert paths(project) == ["events_*.csv"]
    assert project.entry("events")["columns"]["event_ts"] == {"from": "event_time", "zone": "Europe/Paris"}
    assert project.entry("events")["columns"]["action"]["map"]["purchase"] == "order"
    assert "CHANGES\n  none" in project.run(source)[1]
    (source / "events_1.csv").unlink()
    assert project.run(source)[0] == 0
    assert paths(project) == ["events_*.csv"]


def test_without_the_copy_of_what_init_wrote_no_file_is_read_twice(project: Project, tmp_path: Path) -> None:
    source = first(project, tmp_path)
    shutil.rmtree(project.root / "var")
    (source / "events_2.csv").write_text(text())
    assert project.run(source)[0] == 0
    assert paths(project) == ["events_*.csv"]


def test_a_pattern_of_the_user_takes_in_files_of_other_columns(project: Project, tmp_path: Path) -> None:
    source = first(project, tmp_path)
    change(project, "path: events_1.csv", "path: events*.csv")
    (source / "events_2.csv").write_text(text(more=lambda n: f",{n}", header=f"{HEADER},price"))
    shutil.rmtree(project.root / "var")
    status, printed = project.run(source)
    assert status == 0, printed
    assert paths(project) == ["events*.csv"]


def test_an_entry_that_nobody_edited_is_cut_where_the_columns_part(project: Project, tmp_path: Path) -> None:
    source = first(project, tmp_path)
    (source / "events_2.csv").write_text(text())
    project.run(source)
    change(project, "gap_minutes: 30.0", "gap_minutes: 60")
    (source / "events_2.csv").write_text(text(more=lambda n: f",{n}", header=f"{HEADER},price"))
    assert project.run(source)[0] == 0
    assert sorted(paths(project)) == ["events_1.csv", "events_2.csv"]
    assert project.log()["sessions"] == {"gap_minutes": 60}


def test_a_file_of_other_columns_gets_an_entry_of_its_own(project: Project, tmp_path: Path) -> None:
    source = first(project, tmp_path)
    change(project, "event_ts: {from: event_time}", "event_ts: {from: event_time, zone: Europe/Paris}")
    (source / "events_2.csv").write_text(text(more=lambda n: f",{n}", header=f"{HEADER},price"))
    assert project.run(source)[0] == 0
    assert sorted(paths(project)) == ["events_1.csv", "events_2.csv"]
