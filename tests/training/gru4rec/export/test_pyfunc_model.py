"""The answers of the exported model compared with PyTorch's, and unusual sessions."""

import json
import shutil
import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")

from mlflow.exceptions import MlflowException

from tests.training.gru4rec import exported as small
from training.gru4rec.export.mlflow_model import are_integers


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return small.export(tmp_path_factory.mktemp("exported") / "integers", small.INTEGER_IDS)


@pytest.fixture(scope="module")
def model(exported):
    return mlflow.pyfunc.load_model(str(exported.folder))


def ask(model, *sessions, **params):
    return model.predict(pd.DataFrame({"session": pd.Series(sessions, dtype=object)}), params=params)


def test_each_row_gets_the_best_items_of_its_session_and_their_scores(exported, model):
    found = ask(model, [101, 102, 103], [110, 111], k=5)
    for answer, session in zip(found, ([1, 2, 3], [10, 11]), strict=True):
        expected = exported.ranked(*session)[:5]
        assert answer["recommendations"] == [100 + item for item, _ in expected]
        assert answer["scores"] == pytest.approx([score for _, score in expected], abs=1e-6)


def test_unknown_items_are_skipped(model):
    assert ask(model, [999, 101, -5, 102]) == ask(model, [101, 102])


@pytest.mark.parametrize("session", [[], [999], [1, 2, 3]])
def test_a_session_without_known_items_gets_the_popular_ones(model, session):
    [answer] = ask(model, session, k=3)
    assert answer == {"recommendations": [111, 101, 106], "scores": [10.0, 9.0, 8.0]}


def test_known_and_unknown_sessions_are_answered_in_the_order_of_the_request(exported, model):
    found = ask(model, [], [101], [999], [102], k=1)
    expected = [small.POPULAR[0], exported.ranked(1)[0][0], small.POPULAR[0], exported.ranked(2)[0][0]]
    assert [answer["recommendations"] for answer in found] == [[100 + item] for item in expected]


def test_of_a_long_session_the_last_known_items_are_read(model):
    assert small.MAX_LENGTH == 4
    assert ask(model, [109, 108, 101, 999, 102, 103, 104, 999]) == ask(model, [101, 102, 103, 104])
    assert ask(model, [109, 101, 102, 103, 104]) != ask(model, [109, 101, 102, 103])


def test_items_of_the_session_are_excluded_on_request_and_k_others_are_returned(exported, model):
    [answer] = ask(model, [101, 102, 101, 103, 104, 105], k=6, exclude_seen=True)
    expected = [item for item, _ in exported.ranked(1, 3, 4, 5) if item not in (1, 2, 3, 4, 5)][:6]
    assert answer["recommendations"] == [100 + item for item in expected]
    [everything] = ask(model, [100 + i for i in range(12)], k=10, exclude_seen=True)
    assert everything == {"recommendations": [], "scores": []}


@pytest.mark.parametrize("k", [0, -1, small.TOP_K + 1])
def test_a_k_out_of_range_is_refused(model, k):
    with pytest.raises(MlflowException, match=f"k must be from 1 to 10, not {k}"):
        ask(model, [101], k=k)


def test_many_sessions_are_answered_as_each_of_them_alone(model):
    rng = np.random.default_rng(2)
    sessions = [rng.integers(98, 112, rng.integers(0, 7)).tolist() for _ in range(600)]
    together = ask(model, *sessions, k=4)
    for session, answer in zip(sessions[::50], together[::50], strict=True):
        [alone] = ask(model, session, k=4)
        assert answer["recommendations"] == alone["recommendations"]
        assert answer["scores"] == pytest.approx(alone["scores"], abs=1e-6)


def test_ids_that_are_text_are_read_and_returned_as_text(tmp_path):
    exported = small.export(tmp_path / "text", small.TEXT_IDS)
    model = mlflow.pyfunc.load_model(str(exported.folder))
    [answer] = ask(model, ["item-1", "what", "item-2"], k=3)
    assert answer["recommendations"] == [f"item-{item}" for item, _ in exported.ranked(1, 2)[:3]]
    with pytest.raises(MlflowException, match="session"):
        ask(model, [1, 2])


@pytest.mark.parametrize(
    ("ids", "integers"),
    [
        (("1", "-5", "0"), True),
        (("01",), False),
        (("1", "x"), False),
        ((str(2**63),), False),
        ((str(2**63 - 1),), True),
    ],
)
def test_ids_are_integers_only_if_the_integer_is_written_as_the_same_text(ids, integers):
    assert are_integers(ids) is integers


def test_requirements_are_pinned_and_do_not_include_torch(exported):
    lines = (exported.folder / "requirements.txt").read_text().split()
    assert sorted(line.partition("==")[0] for line in lines) == ["mlflow", "numpy", "onnxruntime", "pandas"]
    assert all(line.partition("==")[2] for line in lines)


def test_the_model_runs_elsewhere_without_torch_and_without_this_project(exported, tmp_path):
    shutil.copytree(exported.folder, tmp_path / "moved")
    code = """
import sys, json
for name in ("torch", "lightning", "onnx", "training", "infra", "feature_repo"):
    sys.modules[name] = None
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model("moved")
print(json.dumps(model.predict(pd.DataFrame({"session": [[101, 102]]}), params={"k": 2})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    [answer] = json.loads(done.stdout.splitlines()[-1])
    assert answer["recommendations"] == [100 + item for item, _ in exported.ranked(1, 2)[:2]]
