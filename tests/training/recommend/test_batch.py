"""The batch as of day 60 of a shop whose log goes on: what happens later is found nowhere in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from infra.models.model_store import ModelStore
from infra.settings import Settings
from tests.small_log import at, event
from tests.training.buyers.small_shop import basket, order_days, small_shop
from tests.training.recommend.batch_shop import DAY, K, environment, write_params
from training.recommend import batch, evaluate
from training.recommend.files import read_submission
from training.recommend.submission import Submission
from training.tune import command as tune

USERS = 15
MARKER_USER, MARKER_ITEM = "marker-user", "marker-item"
ASK = ["--users", str(USERS), "--k", str(K), "--days", "3", "--at", at(DAY).isoformat()]


def marked() -> list[dict]:
    """Orders of an item by all regular users, and all orders of a user, in the window that is asked about."""
    by_all = [
        event(
            10_000 + user, at(DAY + 1, 100 + user), "order", MARKER_ITEM, user_id=f"u{user:02d}", session_id=f"m{user}"
        )
        for user in range(12)
    ]
    return [
        *by_all,
        *(
            event(10_100 + day, at(DAY + day, 50), "order", "i00", user_id=MARKER_USER, session_id=f"new{day}")
            for day in range(3)
        ),
    ]


@dataclass(frozen=True)
class Answered:
    settings: Settings
    submission: Submission
    output: str

    def texts(self) -> Iterator[str]:
        """All that was left: training sets, studies, and everything in MLflow's folder and database."""
        folders = (self.settings.training_dir, *(self.settings.state_dir / name for name in ("mlflow", "tune")))
        for path in (path for folder in folders for path in folder.rglob("*")):
            if path.suffix == ".parquet":
                yield str(pq.read_table(path).to_pydict())
            elif path.is_file():
                yield path.read_bytes().decode("utf-8", "replace")
        yield str(self.submission)
        yield self.output

    def content(self) -> str:
        return (self.settings.training_dir / batch.FOLDER / "recipe.json").read_text()


def answer(folder: Path, *, until=None, capture: pytest.CaptureFixture[str] | None = None) -> Answered:
    folder.mkdir(parents=True, exist_ok=True)
    settings = small_shop(folder, marked(), until).model_copy(update={"params_file": folder / "params.yaml"})
    write_params(settings)
    out = folder / "submission.parquet"
    with environment(settings):
        assert batch.main([*ASK, "--out", str(out)]) == 0
    return Answered(settings, read_submission(out), capture.readouterr().out if capture else "")


@pytest.fixture(scope="module")
def answered(tmp_path_factory) -> Answered:
    return answer(tmp_path_factory.mktemp("batch"))


def test_there_are_as_many_users_and_items_as_were_asked_for(answered):
    assert len(answered.submission) == USERS
    answered.submission.check(USERS, K)


def test_the_users_who_are_due_are_chosen_and_get_what_they_order_always(answered):
    found = dict(zip(answered.submission.users, answered.submission.items, strict=True))
    for user in range(12):
        assert {f"i{user:02d}", f"j{user:02d}"} <= set(found[f"u{user:02d}"])


def test_a_marker_of_the_window_is_found_nowhere(answered):
    texts = list(answered.texts())
    assert len(texts) > 20
    assert any("i00" in text for text in texts), "the search finds what is there"
    assert any("u00" in text for text in texts)
    for marker in (MARKER_USER, MARKER_ITEM):
        assert [text[:200] for text in texts if marker in text] == []


def test_trials_of_tuning_do_not_know_the_marker_either(answered):
    for model in ("recommender", "buyers"):
        with environment(answered.settings):
            assert tune.main([model, "--trials", "2", "--at", at(DAY).isoformat()]) == 0
    assert list((answered.settings.state_dir / "tune").rglob("*")), "the studies are among what is searched"
    texts = list(answered.texts())
    assert any(path.name == "wide_set.json" for path in answered.settings.training_dir.rglob("*"))
    for marker in (MARKER_USER, MARKER_ITEM):
        assert [text[:200] for text in texts if marker in text] == []


def test_the_answer_is_that_of_a_log_that_ends_where_it_was_asked_about(answered, tmp_path):
    cut = answer(tmp_path / "cut", until=at(DAY))
    assert cut.submission == answered.submission
    assert cut.content() == answered.content()


def recall_by_hand(submission: Submission) -> float:
    listed = dict(zip(submission.users, submission.items, strict=True))
    found = []
    for user in range(20):
        bought = {item for day in order_days(user) if DAY <= day < DAY + 3 for item in basket(user, day)}
        if user < 12:
            bought.add(MARKER_ITEM)
        if bought:
            found.append(len(bought & set(listed.get(f"u{user:02d}", ()))) / len(bought))
    return float(np.mean([*found, 0.0]))  # the marked user bought, too


def test_the_run_in_mlflow_holds_the_submission_and_the_task_s_metric(answered, tmp_path):
    store = ModelStore(answered.settings, answered.settings.recommend_name)
    (run,) = store.client.search_runs([store.experiment_id()], "attributes.run_name = 'batch'")
    assert run.data.metrics["recall_per_buyer"] == pytest.approx(recall_by_hand(answered.submission))
    assert run.data.params["run_id"] == f"tiny-20240430T000000Z-3d-{USERS}x{K}"
    assert run.data.params["buyers_version"] == "1"
    stored = store.client.download_artifacts(run.info.run_id, "batch/submission.parquet", str(tmp_path))
    assert read_submission(Path(stored)) == answered.submission


def test_the_file_is_judged_by_the_same_metric(answered, capsys):
    out = answered.settings.params_file.with_name("submission.parquet")
    ask = ["--submission", str(out), "--at", at(DAY).isoformat(), "--days", "3", "--k", str(K)]
    with environment(answered.settings):
        assert evaluate.main([*ask, "--users", str(USERS)]) == 0
        assert f"recall per buyer {recall_by_hand(answered.submission):.4f}: " in capsys.readouterr().out
        assert evaluate.main([*ask, "--users", str(USERS - 1)]) == 2
        assert f"at most {USERS - 1} are allowed" in capsys.readouterr().err
        assert evaluate.main([*ask[:2], "--at", at(74).isoformat(), "--k", str(K)]) == 2
        assert "but the log at" in capsys.readouterr().err


def test_what_cannot_be_answered_or_written_is_refused_before_anything_is_fitted(
    answered, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(batch, "find_prospects", lambda *_: pytest.fail("hours later"))
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    refused = [
        (["--k", "51"], tmp_path / "out.csv", "51 items are asked for, but 50 are known"),  # 2 of each user, and 10
        ([], tmp_path / "folder.csv", "it is a folder"),
        ([], tmp_path / "file" / "out.csv", "cannot be written"),
        ([], f"sqlite:///{tmp_path}/none/shop.db", "unable to open database file"),
        (["--run-id", "r" * 201], f"sqlite:///{tmp_path}/shop.db", "--run-id has 201 characters: at most 200"),
    ]
    with environment(answered.settings):
        for ask, out, message in refused:
            assert batch.main(["--users", "9", "--at", at(DAY).isoformat(), *ask, "--out", str(out)]) == 2
            assert message in capsys.readouterr().err


def test_more_users_than_are_known_is_an_error_that_says_so(answered, tmp_path, capsys):
    ask = ["--at", at(DAY).isoformat(), "--out", str(tmp_path / "out.csv"), "--users", "21"]
    with environment(answered.settings):
        assert batch.main(ask) == 2
    assert "21 users are asked for, but 20 are known" in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_a_time_that_nothing_reaches_is_an_error(answered, tmp_path, capsys):
    ask = ["--at", at(80).isoformat(), "--out", str(tmp_path / "out.csv"), "--users", "1"]
    with environment(answered.settings):
        assert batch.main(ask) == 2
    assert "is after what is known" in capsys.readouterr().err


def test_all_known_users_go_into_a_database(answered, tmp_path, capsys):
    file = tmp_path / "shop.db"
    ask = ["--k", str(K), "--at", at(DAY).isoformat(), "--out", f"sqlite:///{file}", "--users", "21"]
    with environment(answered.settings):
        assert batch.main([*ask, "--allow-fewer", "--run-id", "tonight"]) == 0
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT run_id, count(DISTINCT user_id), count(*) FROM recommendations").fetchall()
    assert rows == [("tonight", 20, 20 * K)]
    assert "20 users with 4 items each" in capsys.readouterr().out
