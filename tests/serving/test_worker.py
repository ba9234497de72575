"""What a scorer process does before it makes its app."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from infra.settings import PROJECT_ROOT

SCRIPT = """
import sys
from pathlib import Path
import numpy
from infra.settings import Settings
from serving.worker import ScorerApp
from threadpoolctl import threadpool_info

settings = Settings(_env_file=None, state_dir=Path(sys.argv[1]), data_dir=Path(sys.argv[1]), clock="wall")
ScorerApp(settings, "http://127.0.0.1:1")()
print(sorted({each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}))
"""


def test_matrix_products_of_a_request_use_one_thread(tmp_path: Path) -> None:
    """In a process of its own, because the limit is the process's."""
    environment = {"OPENBLAS_NUM_THREADS": "2", "PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[1]"
