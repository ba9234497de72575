"""``python -m training.gru4rec COMMAND [section.name=value ...] [out=FOLDER]``: the next-item model, step by step.

preprocess     a log -> sessions split by time, and the vocabulary
train          the network; train.resume=true goes on where an interrupted run stopped
evaluate       the best checkpoint beside the baselines, on the same split
export_mlflow  ONNX and an MLflow model that needs neither torch nor this project
serve_mlflow   that model behind POST /invocations on loopback

Settings are those of params.yaml, section gru4rec.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from infra.settings import Settings
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
        print(f"{__doc__}Known are {', '.join(known_keys())}.")
        return 0 if arguments else 2
    command, *rest = arguments
    settings = Settings()
    try:
        if command not in COMMANDS:
            raise SequenceError(f"unknown command {command!r}; known are {', '.join(COMMANDS)}")
        config = read_config(settings.params_file, rest)
        # Lazily: whoever only serves has no torch.
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
