"""``python -m training.gru4rec COMMAND [section.name=value ...] [out=FOLDER]``: the next-item model, step by step.

preprocess     cut a log into sessions, split them by time, and write the vocabulary
train          fit the network; train.resume=true continues an interrupted run
evaluate       compare the best checkpoint with the baselines on the same split
export_mlflow  write an ONNX graph and an MLflow model that needs neither torch nor this project
serve_mlflow   serve that model at POST /invocations on loopback

The settings are in params.yaml and params/NAME.yaml, section gru4rec.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from infra.command import command_params, command_settings
from training.gru4rec.config import known_keys, read_config
from training.gru4rec.errors import SequenceError

COMMANDS = {
    "preprocess": "training.gru4rec.sessions.preprocess",
    "train": "training.gru4rec.fitting.training",
    "evaluate": "training.gru4rec.evaluation.evaluate",
    "export_mlflow": "training.gru4rec.export.export_mlflow",
    "serve_mlflow": "training.gru4rec.export.serve_mlflow",
}


def main(argv: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(f"{__doc__}The keys are {', '.join(known_keys())}.")
        return 0 if arguments else 2
    command, *rest = arguments
    settings = command_settings()
    try:
        if command not in COMMANDS:
            raise SequenceError(f"unknown command {command!r}; the commands are {', '.join(COMMANDS)}")
        config = read_config(command_params(settings, "training.gru4rec"), rest)
        # Not imported at the top, because serve_mlflow runs without torch.
        module: Any = import_module(COMMANDS[command])
        module.run(config, settings)
    except SequenceError as error:
        print(f"training.gru4rec: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name in ("torch", "lightning", "onnx", "onnxruntime"):
            print(f"training.gru4rec: {command} needs {error.name}: install the extra 'sequences'", file=sys.stderr)
            return 2
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
