"""Checkpoints: what training leaves behind, and the network out of one.

best.ckpt  the epoch with the best validation metric (the last epoch where there is no validation)
last.ckpt  the last epoch; training resumes from it
"""

from __future__ import annotations

import pickle
from pathlib import Path

import torch

from training.gru4rec.errors import BadCheckpoint
from training.gru4rec.network import Gru4Rec

BEST, LAST = "best.ckpt", "last.ckpt"
HYPERPARAMETERS, STATE = "gru4rec", "state_dict"
PREFIX = "network."  # of the network's parameters inside the Lightning module


def load_network(path: Path) -> Gru4Rec:
    """The network of a checkpoint, in eval mode. Nothing in the file is executed. Raises BadCheckpoint."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        network = Gru4Rec(**found[HYPERPARAMETERS])
        state = {name.removeprefix(PREFIX): value for name, value in found[STATE].items() if name.startswith(PREFIX)}
        network.load_state_dict(state)
    except OSError as error:
        raise BadCheckpoint(f"{path} cannot be read ({error.strerror}): run train first") from error
    except (RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadCheckpoint(f"{path} is not a checkpoint of this program: {reason}") from error
    return network.eval()
