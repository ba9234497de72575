"""One session in, the 20 next items out: 20,000 items, hidden size 100, sessions of about ten items, one thread.

    python -m benchmarks.sequence [--json FILE] [--requests N]

*onnx* is the exported model's own call, ids in and ids out; *pyfunc* the same through MLflow's pyfunc, which makes and
checks a DataFrame; *torch* the straightforward way: the network in eager PyTorch, then topk. These three take turns,
session by session, so that a busy phase of the machine meets all. *http* is POST /invocations to ``serve_mlflow`` in a
process of its own, one kept-alive connection. Weights are random: time does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from benchmarks.load import closed_loop, requests_of, wait_until
from benchmarks.server_process import ServerProcess, free_port
from training.gru4rec.export.mlflow_model import save_model
from training.gru4rec.export.onnx_graph import export_graph
from training.gru4rec.folders import Folders
from training.gru4rec.network.gru4rec import Gru4Rec
from training.gru4rec.sessions.processed import Vocabulary

N_ITEMS, HIDDEN, MEAN_LENGTH, K, MAX_LENGTH = 20_000, 100, 10, 20, 50
SESSIONS, WARM_UP = 500, 300

Session = list[int]
Answer = Callable[[Session], list[int]]


def sessions_of_ids(rng: np.random.Generator) -> list[Session]:
    """Ids, of which item i has 1000 + i."""
    lengths = np.maximum(1, rng.poisson(MEAN_LENGTH, SESSIONS))
    return [(1000 + rng.integers(0, N_ITEMS, length)).tolist() for length in lengths]


def exported(folder: Path) -> tuple[Gru4Rec, Vocabulary]:
    """Writes the model as ``export_mlflow`` does, below ``folder``."""
    torch.manual_seed(7)
    network = Gru4Rec(N_ITEMS, HIDDEN).eval()
    vocabulary = Vocabulary(tuple(str(1000 + i) for i in range(N_ITEMS)), np.arange(N_ITEMS, 0, -1))
    folders = Folders(folder)
    folders.processed.mkdir(parents=True)
    folders.onnx.mkdir(parents=True)
    vocabulary.save(folders.processed)
    graph = folders.onnx / "gru4rec.onnx"
    export_graph(network, graph, opset=17, max_length=MAX_LENGTH)
    save_model(
        folders.mlflow_model,
        graph=graph,
        processed=folders.processed,
        items=vocabulary.items,
        top_k=100,
        max_length=MAX_LENGTH,
    )
    return network, vocabulary


def in_torch(network: Gru4Rec, vocabulary: Vocabulary) -> Answer:
    def answer(session: Session) -> list[int]:
        items = torch.tensor([[vocabulary.index[str(item)] for item in session]])
        with torch.inference_mode():
            scores = network.scores(network(items, torch.tensor([len(session)])))
            best = torch.topk(scores, K, dim=1).indices[0].tolist()
        return [int(vocabulary.items[index]) for index in best]

    return answer


def through_onnx(model: Any) -> Answer:
    own = model.unwrap_python_model()
    return lambda session: list(own.recommend([session], K, False)[0]["recommendations"])


def through_pyfunc(model: Any) -> Answer:
    return lambda session: list(model.predict(pd.DataFrame({"session": [session]}))[0]["recommendations"])


def in_turns(contenders: dict[str, Answer], sessions: list[Session], requests: int) -> dict[str, Any]:
    """(requests,) seconds of each. Raises RuntimeError where two of them name different items."""
    for session in sessions[:20]:
        answers = [contender(session) for contender in contenders.values()]
        if any(sorted(answer) != sorted(answers[0]) for answer in answers):
            raise RuntimeError(f"the contenders disagree on {session}")
    seconds = {name: np.empty(requests) for name in contenders}
    for i in tqdm(range(-WARM_UP, requests), unit="request", desc="in process", disable=not sys.stderr.isatty()):
        for name, contender in contenders.items():
            started = time.perf_counter()
            contender(sessions[i % len(sessions)])
            if i >= 0:
                seconds[name][i] = time.perf_counter() - started
    return seconds


def over_http(folder: Path, sessions: list[Session], requests: int) -> Any:
    """(requests,) seconds."""
    port = free_port()
    command = ["-m", "training.gru4rec", "serve_mlflow", f"serve.port={port}", f"out={folder}"]
    server = ServerProcess.start(command, {"MLFLOW_DISABLE_TELEMETRY": "true"}, port)
    try:
        wait_until(f"{server.url}/ping", lambda status, _: status == 200, server.process)
        url = f"{server.url}/invocations"
        bodies = [json.dumps({"dataframe_records": [{"session": session}]}).encode() for session in sessions]
        asked = requests_of(url, bodies)
        closed_loop(url, asked, WARM_UP)
        load = closed_loop(url, asked, requests)
    finally:
        server.stop()
    if load.wrong:
        raise RuntimeError(f"{load.wrong} of {requests} requests were refused")
    return load.seconds


def measure(requests: int) -> dict[str, float]:
    """``NAME_p50_ms`` and ``NAME_p99_ms`` of onnx, pyfunc, torch and http."""
    torch.set_num_threads(1)
    sessions = sessions_of_ids(np.random.default_rng(7))
    with tempfile.TemporaryDirectory(prefix="sequence-") as temporary:
        folder = Path(temporary)
        network, vocabulary = exported(folder)
        model = mlflow.pyfunc.load_model(str(Folders(folder).mlflow_model))
        contenders = {
            "onnx": through_onnx(model),
            "pyfunc": through_pyfunc(model),
            "torch": in_torch(network, vocabulary),
        }
        seconds = in_turns(contenders, sessions, requests)
        seconds["http"] = over_http(folder, sessions, requests)
    found = {}
    for name, taken in seconds.items():
        for percentile in (50, 99):
            found[f"{name}_p{percentile}_ms"] = round(float(np.percentile(taken, percentile)) * 1e3, 3)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sequence", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--requests", type=int, default=2000, help="of each kind")
    arguments = parser.parse_args()
    if arguments.requests < 1:
        parser.error("--requests must be at least 1")
    found = measure(arguments.requests)
    print(f"{N_ITEMS:,} items, hidden {HIDDEN}, sessions of about {MEAN_LENGTH} items, {K} best; milliseconds")
    print("| way | p50 | p99 |\n| --- | ---: | ---: |")
    for name in ("onnx", "pyfunc", "http", "torch"):
        print(f"| {name} | {found[f'{name}_p50_ms']:.3f} | {found[f'{name}_p99_ms']:.3f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
