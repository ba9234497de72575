"""``python -m training.gru4rec serve_mlflow``: serve the exported model with MLflow's scoring app.

It needs no torch, only the model's own requirements. ``serve.workers`` processes share one socket.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from functools import partial
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from infra.settings import Settings
from training.gru4rec.config import Gru4RecConfig, ServeConfig
from training.gru4rec.errors import SequenceError
from training.gru4rec.export.scoring_app import create_app


def run(config: Gru4RecConfig, settings: Settings) -> None:
    """Serve until a signal stops it. Raises SequenceError if there is no model or the port is taken."""
    folder = config.folders(settings).mlflow_model
    if not (folder / "MLmodel").exists():
        raise SequenceError(f"{folder} has no model: run export_mlflow first")
    listening = _listen(config.serve)
    print(f"POST http://{config.serve.host}:{config.serve.port}/invocations (model {folder})", flush=True)
    # uvicorn raises the interrupt again when all requests are answered.
    with suppress(KeyboardInterrupt):
        _serve(folder, listening, config.serve.workers)


def _listen(serve: ServeConfig) -> socket.socket:
    """Bind before the model is loaded, so that a taken port is reported at once."""
    family = socket.AF_INET6 if ":" in serve.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((serve.host, serve.port))
        listening.listen(128)  # connections wait here until the workers have started
    except OSError as error:
        listening.close()
        raise SequenceError(f"serve.host {serve.host}, serve.port {serve.port}: {error.strerror}") from error
    listening.set_inheritable(True)
    return listening


def _serve(folder: Path, listening: socket.socket, workers: int) -> None:
    factory = partial(create_app, str(folder))  # each worker opens the graph, which cannot be sent to a process
    config = uvicorn.Config(factory, factory=True, workers=workers, log_level="warning", access_log=False)
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listening])
    else:
        Multiprocess(config, sockets=[listening]).run()
