"""The command as a user runs it: once, again after edits, again after the files changed."""

import json
import os

import pytest
import yaml

from feature_repo.datasets.files.mapping import mapping_from
from tests.feature_repo.init import folders
from tests.feature_repo.init.folders import SECONDS, write


def test_sure_of_all_it_writes_both_files_and_asks_nothing(project, tmp_path):
    status, printed = project.run(folders.chain(tmp_path / "in"))
    assert status == 0
    assert mapping_from(project.log()).files[0].path == "log.tsv.gz"
    assert project.log()["adapter"] == "files"
    declared = json.loads(project.declaration().read_text())
    assert [each["name"] for each in declared["item_extras"]] == ["weight"]
    assert declared["item_extras"][0]["description"].startswith("weight of assortment.tsv")
    for told in ("FOUND", "log.tsv.gz: 400 rows", "MEANING", "milliseconds since 1970", "LEFT OUT", "wrote:"):
        assert told in printed
    assert "NOT SURE" not in printed


def test_each_column_in_the_file_has_its_reason(project, tmp_path):
    project.run(folders.chain(tmp_path / "in"))
    lines = project.params().read_text().splitlines()
    columns = [n for n, line in enumerate(lines) if line.startswith(" " * 8) and ": {" in line and "from:" in line]
    assert len(columns) == 10
    for number in columns:
        assert "  # " in lines[number] or lines[number - 1].strip().startswith("# ")


def test_paths_with_blanks_and_one_file_alone(project, tmp_path):
    folders.receipts(tmp_path / "my shop")
    status, _ = project.run(tmp_path / "my shop" / "sales.csv")
    assert status == 0
    assert project.log()["input"] == str(tmp_path / "my shop" / "sales.csv")
    assert project.entry("events")["path"] == "sales.csv"


def test_an_input_inside_the_project_is_relative_to_it(project, monkeypatch):
    folders.receipts(project.root / "my files")
    monkeypatch.chdir(project.root / "my files")
    project.run(project.root / "my files" / ".." / "my files")
    assert project.log()["input"] == "my files"


@pytest.mark.parametrize("name", ["my-shop", "My Shop", "shop/x"])
def test_a_name_that_cannot_be_one_is_refused_with_one_that_can(project, tmp_path, name):
    status, printed = project.run(folders.chain(tmp_path / "in"), name=name)
    assert status == 2
    assert "my_shop" in printed or "shop_x" in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("name", ["stokman", "complete_journey", "simulated"])
def test_the_name_of_a_built_in_data_set_is_refused_also_by_force(project, tmp_path, name):
    project.params().parent.mkdir()
    project.params(name).write_text(f"log: {{adapter: {name}}}\n")
    status, printed = project.run(folders.chain(tmp_path / "in"), "--force", name=name)
    assert (status, f"choose another name, such as my_{name}" in printed) == (2, True)
    assert f"log.input of params/{name}.yaml" in printed
    assert project.params(name).read_text() == f"log: {{adapter: {name}}}\n"


def test_a_format_of_the_user_that_is_none_is_a_sentence(project, tmp_path):
    source = folders.receipts(tmp_path / "in")
    project.run(source)
    text = project.params().read_text()
    for wrong, said in (("delimeter: ;", "it has delimiter, encoding"), ("encoding: utf-9", "'utf-9'")):
        project.params().write_text(text.replace("delimiter: ;", wrong))
        status, printed = project.run(source)
        assert (status, said in printed) == (2, True), printed


def test_an_input_that_is_not_there_is_a_sentence(project, tmp_path):
    status, printed = project.run(tmp_path / "nowhere")
    assert (status, "does not exist" in printed) == (2, True)


def undecided(folder):
    rows = [(f"u{n % 7}", f"i{n % 11}", f"{1 + n % 12:02d}/{1 + n % 9:02d}/2023", n % 3) for n in range(80)]
    write(folder, "log.csv", ("user", "item", "date", "event_type"), rows)
    return folder


def test_not_sure_it_stops_with_all_questions_and_marks_them_in_the_file(project, tmp_path):
    status, printed = project.run(undecided(tmp_path / "in"))
    assert status == 2
    assert "NOT SURE: 3 to answer" in printed
    assert 'in the file: format: "%d/%m/%Y"' in printed
    assert "--set 'events.event_ts.format=%d/%m/%Y'" in printed
    assert "# OPEN events.event_ts.format: log.csv, date: '01/01/2023' fits" in project.params().read_text()
    columns = project.entry("events")["columns"]
    assert columns["event_ts"] == {"from": "date", "format": "?"}
    assert columns["action"]["map"] == {"0": "?", "1": "?", "2": "?"}


def test_answers_on_the_command_line_settle_the_questions_for_good(project, tmp_path):
    source = undecided(tmp_path / "in")
    answers = ("events.event_ts.format=%d/%m/%Y", "events.action.map={0: view, 1: add_to_cart, 2: order}")
    status, printed = project.run(source, *(f"--set={each}" for each in answers))
    assert (status, "NOT SURE: 1" in printed) == (2, True)
    status, printed = project.run(source, "--set=slates.targets=[order]")
    assert (status, "answered  slates: {targets: [order]" in printed) == (0, True)
    text = project.params().read_text()
    assert "slates: {targets: [order]}  # as you answered" in text
    assert "OPEN" not in text
    status, printed = project.run(source)
    assert (status, "unchanged" in printed) == (0, True)
    columns = project.entry("events")["columns"]
    assert columns["event_ts"] == {"from": "date", "format": "%d/%m/%Y"}
    assert columns["action"]["map"] == {0: "view", 1: "add_to_cart", 2: "order"}


def test_answers_in_the_file_settle_them_too(project, tmp_path):
    source = undecided(tmp_path / "in")
    project.run(source)
    text = project.params().read_text()
    text = text.replace("format: '?'", "format: '%m/%d/%Y'").replace("'?'", "view", 1).replace("'?'", "order")
    project.params().write_text(text)
    assert project.log()["slates"]["targets"] == ["order"]
    status, printed = project.run(source)
    assert status == 0, printed
    assert project.entry("events")["columns"]["event_ts"]["format"] == "%m/%d/%Y"


def test_an_unreadable_file_is_asked_about_until_it_is_left_out(project, tmp_path):
    source = folders.chain(tmp_path / "in")
    (source / "old.zip").write_bytes(b"PK\x03\x04")
    status, printed = project.run(source)
    assert status == 2
    assert "old.zip .zip files are not read" in printed
    assert project.run(source, "--set=ignore=[old.zip]")[0] == 0
    assert project.run(source)[0] == 0
    assert project.log()["ignore"] == ["old.zip"]


def test_a_second_run_changes_nothing(project, tmp_path):
    source = folders.searches(tmp_path / "in")
    project.run(source)
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in (project.params(), project.declaration())]
    status, printed = project.run(source)
    assert status == 0
    assert "CHANGES\n  none" in printed
    assert [(p.read_bytes(), p.stat().st_mtime_ns) for p in (project.params(), project.declaration())] == before


def test_the_users_lines_stay_and_what_is_new_is_added(project, tmp_path):
    source = folders.chain(tmp_path / "in")
    project.run(source)
    text = project.params().read_text()
    text = text.replace("user_id: {from: visitor}", "user_id: {from: visit_id}").replace("pageview: view, ", "")
    text = "\n".join(line for line in text.splitlines() if "weight" not in line) + "\ntrain: {rounds: 7}  # mine\n"
    project.params().write_text(text)
    goods = [(f"A{n:04d}", f"b{n % 4}", 1.5 + n, f"section{n % 5}", n % 3 + 0.5, n % 2) for n in range(23)]
    write(source, "assortment.tsv", ("sku", "brand", "price", "section", "weight", "is_new"), goods, "\t")
    status, printed = project.run(source)
    assert status == 0, printed
    assert project.entry("events")["columns"]["user_id"] == {"from": "visit_id"}
    assert "pageview" not in project.entry("events")["columns"]["action"]["map"]
    items = project.entry("items")["columns"]
    assert items["is_new"] == {"from": "is_new"}
    assert "weight" not in items  # taken out by the user
    assert project.params().read_text().endswith("train: {rounds: 7}  # mine\n")
    assert "added     items.is_new" in printed
    assert [each["name"] for each in json.loads(project.declaration().read_text())["item_extras"]] == ["is_new"]


def test_a_column_that_is_gone_leaves_the_file_where_init_wrote_it_and_is_named_where_the_user_did(project, tmp_path):
    source = folders.chain(tmp_path / "in")
    project.run(source)
    text = project.params().read_text().replace("price: {from: price}", "price: {from: price, scale: 0.01}")
    project.params().write_text(text)
    goods = [(f"A{n:04d}", f"section{n % 5}") for n in range(23)]
    write(source, "assortment.tsv", ("sku", "section"), goods, "\t")
    status, printed = project.run(source)
    assert status == 2
    assert "removed   items.weight" in printed
    assert "NO LONGER FITS  items.price: assortment.tsv has no column 'price'; it has section, sku" in printed
    assert "brand" not in project.entry("items")["columns"]


def test_a_further_day_of_files_needs_no_change(project, tmp_path):
    source = folders.lines_of_json(tmp_path / "in")
    project.run(source)
    (source / "day-4.jsonl").write_text((source / "day-3.jsonl").read_text())
    status, printed = project.run(source)
    assert (status, "CHANGES\n  none" in printed) == (0, True)


def test_a_wish_of_the_user_that_the_files_contradict_is_said_once(project, tmp_path):
    source = folders.apart(tmp_path / "in")
    project.run(source)
    project.params().write_text(project.params().read_text().replace("unit: s", "unit: ms"))
    rows = [(f"s{n // 5}", f"i{n % 17}", (SECONDS + n * 9_000) * 1_000_000) for n in range(300)]
    write(source, "clicks.csv", ("session", "item", "timestamp"), rows)
    status, printed = project.run(source)
    assert status == 0
    assert "kept      events.event_ts: {from: timestamp, unit: ms} is yours" in printed
    assert "unit: us" in printed
    assert "kept" not in project.run(source)[1]


def test_force_makes_the_section_anew_and_leaves_other_sections(project, tmp_path):
    source = folders.chain(tmp_path / "in")
    project.run(source)
    fresh = project.log()
    project.params().write_text(project.params().read_text().replace("visitor", "sku") + "train: {rounds: 7}\n")
    assert project.run(source, "--force")[0] == 0
    assert project.log() == fresh
    assert yaml.safe_load(project.params().read_text())["train"] == {"rounds": 7}


def test_a_declaration_that_the_user_edited_keeps_its_words(project, tmp_path):
    source = folders.searches(tmp_path / "in")
    project.run(source)
    body = json.loads(project.declaration().read_text())
    body["timezone"], body["facts"][0]["description"] = "Europe/Paris", "price of a night"
    project.declaration().write_text(json.dumps(body))
    assert project.run(source)[0] == 0
    again = json.loads(project.declaration().read_text())
    assert (again["timezone"], again["facts"][0]["description"]) == ("Europe/Paris", "price of a night")


def test_the_time_zone_may_be_said(project, tmp_path):
    source = folders.searches(tmp_path / "in")
    answers = ("--set=timezone=Europe/Paris", "--set=impressions.shown_ts.zone=Europe/Paris")
    assert project.run(source, *answers)[0] == 0
    assert json.loads(project.declaration().read_text())["timezone"] == "Europe/Paris"
    assert project.entry("impressions")["columns"]["shown_ts"] == {"from": "date_time", "zone": "Europe/Paris"}


def test_a_file_of_parameters_that_is_no_yaml_is_a_sentence(project, tmp_path):
    source = folders.chain(tmp_path / "in")
    project.params().parent.mkdir()
    project.params().write_text("log: [")
    status, printed = project.run(source)
    assert (status, "is not YAML" in printed) == (2, True)


def test_nothing_of_the_files_is_executed(project, tmp_path):
    """Names and cells that would be SQL or YAML if they were not quoted."""
    source = tmp_path / "it's; DROP"
    evil = "x'); COPY (SELECT 1) TO 'pwned'; --"
    rows = [
        (f"u{n % 7}", f"i{n % 11}", SECONDS + n * 7000, "order", "!!python/object/apply:os.system [touch pwned]")
        for n in range(60)
    ]
    write(source, "a'b.csv", ("user_id", "item_id", "ts", "action", evil), rows)
    status, printed = project.run(source)
    assert status == 0, printed
    assert project.entry("events")["path"] == "a'b.csv"
    assert not os.path.exists("pwned")


def test_names_with_signs_of_patterns_are_read_as_they_are(project, tmp_path):
    source = folders.apart(tmp_path / "my [old] shop")
    (source / "clicks.csv").rename(source / "clicks [1].csv")
    (source / "purchases.csv").rename(source / "purchases *.csv")
    status, printed = project.run(source)
    assert status == 0, printed
    paths = [each["path"] for each in project.log()["files"]]
    assert [list(source.glob(path)) for path in paths] == [[source / "clicks [1].csv"], [source / "purchases *.csv"]]


def test_a_section_of_another_adapter_is_not_touched(project, tmp_path):
    source = folders.apart(tmp_path / "in")
    project.params().parent.mkdir()
    project.params().write_text("log: {adapter: parquet, input: elsewhere}\n")
    status, printed = project.run(source)
    assert (status, "log.adapter is parquet; --force" in printed) == (2, True)
    assert project.log() == {"adapter": "parquet", "input": "elsewhere"}
    assert project.run(source, "--force")[0] == 0
    assert project.log()["adapter"] == "files"
