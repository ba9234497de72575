"""Reading and writing the files of a training run.

metrics.json        counts, decision, metrics with intervals of every ranker
importance.csv      gain and splits by feature; levels: of a category, how many texts are kept
learning_curve.csv  NDCG@10 by round
calibration.csv     predicted and observed share of positives by bin
slices.json         metrics by coldness of user and item
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any


def write_json(path: Path, body: Any) -> None:
    path.write_text(json.dumps(body, indent=2) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
