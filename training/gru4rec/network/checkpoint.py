"""Reading the checkpoints of training.

best.ckpt  the epoch with the best validation metric; without validation the last epoch
last.ckpt  the last epoch; training resumes from it
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from training.gru4rec.errors import BadCheckpoint
from training.gru4rec.network.gru4rec import Gru4Rec

BEST, LAST = "best.ckpt", "last.ckpt"
HYPERPARAMETERS, SETTINGS, DATA, HISTORY, STATE = "gru4rec", "train", "data", "history", "state_dict"
PREFIX = "network."  # of the network's parameters inside the Lightning module


def load_network(path: Path) -> Gru4Rec:
    """The network of a checkpoint, in eval mode. Raises BadCheckpoint."""
    found = read_checkpoint(path)
    try:
        network = Gru4Rec(**found[HYPERPARAMETERS])
        state = {name.removeprefix(PREFIX): value for name, value in found[STATE].items() if name.startswith(PREFIX)}
        network.load_state_dict(state)
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise BadCheckpoint(f"{path} is not a checkpoint of this program: {_first_line(error)}") from error
    return network.eval()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The whole content. No code in the file is executed. Raises BadCheckpoint."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read ({error.strerror}): run train first") from error
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise BadCheckpoint(f"{path} is not a checkpoint: {_first_line(error)}") from error
    if not isinstance(found, dict) or HYPERPARAMETERS not in found:
        raise BadCheckpoint(f"{path} is not a checkpoint of this program")
    return found


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
