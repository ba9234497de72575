"""``python -m training.gru4rec export_mlflow``: export the best checkpoint as ONNX and as a registered MLflow model."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from mlflow.exceptions import MlflowException

from infra.models.next_item_graph import open_graph
from infra.progress import step
from infra.settings import Settings
from training.gru4rec.config import Gru4RecConfig
from training.gru4rec.errors import SplitError
from training.gru4rec.evaluation.evaluate import REPORT_FILE, metrics_of
from training.gru4rec.evaluation.evaluation_report import save_json
from training.gru4rec.export.mlflow_model import save_model
from training.gru4rec.export.onnx_graph import export_graph, overlap, quantized
from training.gru4rec.folders import Folders
from training.gru4rec.network.checkpoint import BEST, load_network
from training.gru4rec.network.gru4rec import Gru4Rec
from training.gru4rec.sessions.processed import SPLIT_FILE, VOCABULARY_FILE, Vocabulary, load_split
from training.gru4rec.tracking import Run

GRAPH_FILE, INT8_FILE, EXPORT_FILE = "gru4rec.onnx", "gru4rec.int8.onnx", "export.json"
ARTIFACT_PATH = "model"
OVERLAP_K, OVERLAP_SESSIONS = 20, 500


def run(config: Gru4RecConfig, settings: Settings) -> None:
    """Write artifacts/onnx, artifacts/mlflow_model and reports/export.json. Register ``gru4rec-<dataset>`` unless
    ``train.mlflow`` is false. Raises SequenceError."""
    torch.set_num_threads(config.train.threads)
    folders = config.folders(settings)
    vocabulary = Vocabulary.load(folders.processed)
    network = load_network(folders.checkpoints / BEST)
    if network.n_items != len(vocabulary):
        raise SplitError(
            f"{folders.checkpoints / BEST} has {network.n_items} items, the vocabulary {len(vocabulary)}: "
            "preprocess ran after train; run train again"
        )
    graph, report = _graphs(network, config, folders)
    for name in (VOCABULARY_FILE, SPLIT_FILE):  # what the graph was trained on, for who reads it without MLflow
        shutil.copyfile(folders.processed / name, folders.onnx / name)
    with step("saving the MLflow model"):
        save_model(
            folders.mlflow_model,
            graph=graph,
            processed=folders.processed,
            items=vocabulary.items,
            top_k=min(config.export.top_k, len(vocabulary)),
            max_length=config.export.max_length,
        )
    if config.train.mlflow:
        with step("registering"):
            report["registered"] = _register(config, settings, folders, report)
    folders.reports.mkdir(parents=True, exist_ok=True)
    save_json(report, folders.reports / EXPORT_FILE)
    print(json.dumps(report, indent=2))


def _graphs(network: Gru4Rec, config: Gru4RecConfig, folders: Folders) -> tuple[Path, dict[str, Any]]:
    """The graph to serve, and the report on the graphs."""
    folders.onnx.mkdir(parents=True, exist_ok=True)
    graph, small = folders.onnx / GRAPH_FILE, folders.onnx / INT8_FILE
    with step("exporting, and comparing with PyTorch"):
        parity = export_graph(network, graph, opset=config.export.opset, max_length=config.export.max_length)
    report: dict[str, Any] = {
        "items": network.n_items,
        "opset": config.export.opset,
        "largest_difference": parity,
        "graph_bytes": graph.stat().st_size,
        "int8": config.export.int8,
    }
    if not config.export.int8:
        small.unlink(missing_ok=True)
        return graph, report
    with step("int8, and comparing with float32"):
        quantized(graph, small)
        sessions = load_split(folders.processed, "test")
        some = [sessions[i][-config.export.max_length :].tolist() for i in range(min(OVERLAP_SESSIONS, len(sessions)))]
        k = min(OVERLAP_K, network.n_items)
        report["int8_bytes"] = small.stat().st_size
        report["int8_overlap"] = {"k": k, "sessions": len(some), "mean": None}
        if some:
            report["int8_overlap"]["mean"] = round(overlap(open_graph(graph), open_graph(small), some, k), 4)
    return small, report


def _register(config: Gru4RecConfig, settings: Settings, folders: Folders, report: dict[str, Any]) -> dict[str, str]:
    """Log a run with settings, metrics and the model, and register its model as a version of ``gru4rec-<dataset>``."""
    run = Run(settings)
    for section in ("model", "train", "export"):
        values = dataclasses.asdict(getattr(config, section))
        run.log_settings({f"{section}.{name}": value for name, value in values.items()})
    for name, value in _metrics(folders).items():
        run.client.log_metric(run.run_id, name.replace("@", "_at_"), value)
    run.client.log_metric(run.run_id, "onnx_largest_difference", report["largest_difference"])
    run.client.log_artifacts(run.run_id, str(folders.mlflow_model), ARTIFACT_PATH)
    name = f"gru4rec-{settings.dataset}"
    try:
        run.client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{run.client.get_run(run.run_id).info.artifact_uri}/{ARTIFACT_PATH}"
    version = run.client.create_model_version(name, source, run.run_id)
    run.finish()
    return {"name": name, "version": str(version.version), "run_id": run.run_id}


def _metrics(folders: Folders) -> dict[str, float]:
    """The metrics of the evaluation; none if the evaluation is older than the checkpoint."""
    report = folders.reports / REPORT_FILE
    if not report.exists() or report.stat().st_mtime < (folders.checkpoints / BEST).stat().st_mtime:
        print(f"  {report} is missing or older than the checkpoint: registered without metrics", file=sys.stderr)
        return {}
    return metrics_of(json.loads(report.read_text()))
