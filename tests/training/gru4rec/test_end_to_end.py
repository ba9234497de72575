"""preprocess, train, evaluate, export_mlflow, serve_mlflow and one request, with the documented commands."""

import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import mlflow
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from feature_repo.datasets.samples.retailrocket import write_sample
from infra.settings import PROJECT_ROOT
from tests.shop import Shop
from training.gru4rec.__main__ import main
from training.gru4rec.sessions.processed import Vocabulary, load_split

COMMAND = "training.gru4rec"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A sample in RetailRocket's format, and the output of the commands."""
    shop = Shop(tmp_path_factory.mktemp("sequence"), "clicks")
    shop.write_params()
    source = shop.folder / "source"
    write_sample(source, events=20_000, items=250, seed=7, other_properties=0)
    shop.python(f"{COMMAND} preprocess data.source={source / 'events.csv'}")
    shop.python(f"{COMMAND} train train.epochs=3 model.hidden_size=32")
    with pytest.MonkeyPatch.context() as patch:  # run the others in this process, where torch is imported already
        for name, value in shop.environment.items():
            patch.setenv(name, value)
        assert main(["evaluate"]) == 0
        assert main(["export_mlflow", "export.int8=true", "export.top_k=30"]) == 0
    return shop


@pytest.fixture(scope="module")
def root(shop):
    return shop.settings.data_dir / "clicks" / "gru4rec"


def test_the_evaluation_has_all_models_and_the_network_has_learned(root):
    report = json.loads((root / "reports" / "evaluation.json").read_text())
    models = report["models"]
    assert list(models) == ["gru4rec", "vstan", "covisitation", "markov", "popularity"]
    assert all(
        set(found) >= {f"{m}@{k}" for m in ("recall", "mrr") for k in (1, 5, 10, 20)} for found in models.values()
    )
    test = load_split(root / "data" / "processed", "test")
    assert report["positions"] == len(test.items) - len(test)
    assert models["gru4rec"]["recall@5"] > 1.5 * models["popularity"]["recall@5"]
    assert {path.name for path in (root / "plots").iterdir()} >= {"recall_at_k.png", "mrr_at_k.png"}


def test_the_export_reports_its_parity_and_registers_a_version_with_the_metrics(shop, root):
    report = json.loads((root / "reports" / "export.json").read_text())
    assert report["largest_difference"] <= 1e-4
    assert 0.5 < report["int8_overlap"]["mean"] <= 1.0
    assert report["registered"]["name"] == "gru4rec-clicks"
    client = mlflow.MlflowClient(shop.settings.tracking_uri, shop.settings.tracking_uri)
    version = client.get_model_version("gru4rec-clicks", report["registered"]["version"])
    evaluated = json.loads((root / "reports" / "evaluation.json").read_text())["models"]["gru4rec"]
    metrics = client.get_run(version.run_id).data.metrics
    assert metrics["recall_at_20"] == pytest.approx(evaluated["recall@20"])
    assert {file.path for file in client.list_artifacts(version.run_id, "model")} >= {"model/MLmodel"}


@contextmanager
def serving(shop, *, without: tuple[str, ...] = ()):
    """Run ``serve_mlflow`` as a process that cannot import ``without``. Yields the process and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["serve_mlflow", f"serve.port={port}"]
    start = ["-m", COMMAND, *arguments]
    if without:
        code = (
            f"import sys; sys.modules.update(dict.fromkeys({without!r}))\nfrom training.gru4rec.__main__ import main\n"
        )
        start = ["-c", f"{code}sys.exit(main({arguments!r}))"]
    process = subprocess.Popen(
        [sys.executable, *start], cwd=PROJECT_ROOT, env=shop.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def answer(process, url, body):
    deadline = time.monotonic() + 60
    while True:
        try:
            return httpx.post(f"{url}/invocations", json=body, timeout=30)
        except httpx.ConnectError:
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_the_server_answers_the_documented_request_without_torch(shop, root):
    items = [int(item) for item in Vocabulary.load(root / "data" / "processed").items]
    absent = max(items) + 1
    body = {"dataframe_records": [{"session": items[:3]}, {"session": [absent, absent + 1]}]}
    with serving(shop, without=("torch", "lightning", "onnx")) as (process, url):
        found = answer(process, url, body)
        assert found.status_code == 200, found.text
        first, unknown = found.json()["predictions"]
        assert answer(process, url, {"dataframe_records": [{"session": 5}]}).status_code == 400
    assert len(first["recommendations"]) == len(first["scores"]) == 20
    assert first["scores"] == sorted(first["scores"], reverse=True)
    assert set(first["recommendations"]) <= set(items)
    counts = dict(zip(items, Vocabulary.load(root / "data" / "processed").counts.tolist(), strict=True))
    assert unknown["scores"] == sorted(counts.values(), reverse=True)[:20]
    assert [counts[item] for item in unknown["recommendations"]] == unknown["scores"]
    assert process.returncode == 0


def test_a_taken_port_is_reported_in_one_line(shop):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = shop.python(f"{COMMAND} serve_mlflow serve.port={port}", check=False)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"serve.port {port}" in line
    assert "in use" in line


def test_sessions_are_scored_in_batch(shop, root, tmp_path):
    test = pq.read_table(root / "data" / "processed" / "test.parquet")
    grouped = test.group_by("session_id", use_threads=False).aggregate([("item_id", "list")])
    pq.write_table(grouped.rename_columns({"item_id_list": "items"}), tmp_path / "sessions.parquet")
    arguments = f"--sessions {tmp_path / 'sessions.parquet'} --out {tmp_path / 'best.parquet'} --k 10"
    shop.python(f"{COMMAND}.export.batch_scoring {arguments}")
    assert pq.read_table(tmp_path / "best.parquet").num_rows == 10 * grouped.num_rows


@pytest.mark.parametrize(
    ("command", "first"), [("evaluate", "run preprocess first"), ("serve_mlflow", "run export_mlflow first")]
)
def test_a_command_without_its_input_names_the_command_to_run_first(tmp_path, capsys, command, first):
    assert main([command, f"out={tmp_path / 'empty'}"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("training.gru4rec: ")
    assert line.endswith(first)
    assert not (tmp_path / "empty").exists()
