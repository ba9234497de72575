from __future__ import annotations

from pathlib import Path

import pytest

from tests.shapes.first_hour import LOG, CommandFailed, FirstHour, first_hour, main
from tests.shop import Shop
from training.evaluation.baselines import SERVED


def test_a_failed_command_is_told_with_the_end_of_its_output(tmp_path: Path) -> None:
    hour = FirstHour(Shop(tmp_path, "priced_lists"), turns=1)
    with pytest.raises(CommandFailed, match=r"python -m json.tool nothing.json: exit [12]\n(.|\n)*nothing.json"):
        hour.run("json.tool", "nothing.json")
    assert (tmp_path / LOG).read_text().startswith("$ python -m json.tool nothing.json\n")
    assert set(hour.seconds) == {"json.tool"}


def test_the_commands_have_their_data_and_state_below_the_folder(tmp_path: Path) -> None:
    shop = FirstHour(Shop(tmp_path, "priced_lists"), turns=1).shop
    names = ("RERANK_DATA_DIR", "RERANK_STATE_DIR", "RERANK_PARAMS_FILE")
    assert [Path(shop.environment[name]).parent for name in names] == [tmp_path] * 3


def test_an_unknown_shape_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tea_leaves", "--out", str(tmp_path)])
    assert "priced_lists" in capsys.readouterr().err


@pytest.mark.slow
def test_a_shape_with_lists_comes_to_a_served_answer_in_one_turn(tmp_path: Path) -> None:
    """One without lists does so in docs/first-hour.md, by make."""
    hour, run, served = first_hour("bandit_feedback", tmp_path, size=4_000)
    assert hour.turns == 1
    assert "ranker-bandit_feedback" in served
    assert run.champion not in ("random", "click_through")
    rival = max(SERVED, key=run.mean)
    assert f"NDCG@10 minus that of {rival} is" in run.decision, "judged by what would serve instead"
    assert run.known > 0.95
    assert run.mean("oracle") > max(run.mean("random"), run.mean(run.best))
