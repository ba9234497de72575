"""The windows of the source table, and who ordered what in them."""

import json
from datetime import UTC, datetime

import numpy as np

from feature_repo.candidates.item_codes import ItemCodes
from infra.settings import Settings
from tests.small_log import at, event, item, write_log
from training.candidates import __main__ as command
from training.candidates.source_table import SourceRecall


def test_validation_windows_lie_before_the_test_windows():
    windows = {"days": 3, "every_days": 4, "test": 2, "validation": 3}
    # Test windows of 3 days end at the 31st: from the 28th and the 24th on.
    found = command.validation_starts(datetime(2017, 12, 31, tzinfo=UTC), windows)
    assert [each.day for each in found] == [12, 16, 20]


def test_orders_of_a_window_are_each_users_distinct_items(tmp_path):
    settings = Settings(data_dir=tmp_path, state_dir=tmp_path / "var", dataset="tiny", threads=1)
    acts = [
        (4.9, "u", "order", "a"),
        (5, "u", "order", "b"),
        (6, "u", "order", "b"),
        (6, "u", "order", "a"),
        (6, "w", "view", "a"),
        (7.9, "v", "order", "new"),
        (8, "v", "order", "a"),
    ]
    events = [event(n, at(days=day), action, each, user_id=user) for n, (day, user, action, each) in enumerate(acts)]
    write_log(settings.log_dir, items=[item("a"), item("b")], events=events, impressions=[])
    users, items = command.orders_between(settings, at(days=5), at(days=8))
    assert (users, items) == (["u", "v"], [["a", "b"], ["new"]])
    ordered = command.ordered_items(ItemCodes.of_ids(["a", "b"]), items)
    assert (ordered.lists.starts.tolist(), ordered.items.tolist()) == ([0, 2, 3], [0, 1, -1])


def test_the_command_prints_the_table_and_writes_the_figures(tmp_path, monkeypatch, capsys):
    asked = []

    def recalls(settings, params, start, days):
        asked.append((start.isoformat(), days))
        return [SourceRecall("union", np.array([[0.25, 0.5, 0.5, 1.0, 1.0]] * 2), None, 9.0)]

    monkeypatch.setattr(command, "window_recalls", recalls)
    monkeypatch.setattr(command, "log_end", lambda _: at(days=30))
    out = tmp_path / "table.json"
    assert (
        command.main(["--at", "2024-03-05T00:00:00Z,2024-03-08T02:00:00+02:00", "--days", "2", "--json", str(out)]) == 0
    )
    assert asked == [("2024-03-05T00:00:00+00:00", 2), ("2024-03-08T02:00:00+02:00", 2)]
    assert "| union | 9 | 0.2500 | 0.5000 | 0.5000 | 1.0000 | 1.0000 |" in capsys.readouterr().out
    assert json.loads(out.read_text())["users"] == [2, 2]


def test_without_a_log_the_command_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RERANK_DATA_DIR", str(tmp_path))
    assert command.main([]) == 2
    assert "training.candidates:" in capsys.readouterr().err


def test_a_window_without_an_order_is_left_out_and_moves_no_other(tmp_path, monkeypatch, capsys):
    def recalls(settings, params, start, days):
        return [SourceRecall("union", np.full((3, 5), 0.5), None, 9.0)] if start.day == 8 else []

    monkeypatch.setattr(command, "window_recalls", recalls)
    monkeypatch.setattr(command, "log_end", lambda _: at(days=30))
    assert command.main(["--at", "2024-03-05T00:00:00Z,2024-03-08T00:00:00Z"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("2024-03-08T00:00:00.000000Z: 3 users")
    assert "2024-03-05" not in last
