"""``python -m tests.own_features FOLDER``: train and serve a project to which features were added.

Run in a copy of the project, to which :mod:`tests.test_own_features` adds the files of docs/your-own-features.md.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

from infra.models.model_store import ModelStore
from infra.settings import PROJECT_ROOT
from tests.shop import Shop
from validation.skew.audit import audit

SLATES = 1_200
ASKED = 20
AGES = ("19-24", "25-34", "35-44", "45-54")
NOT_NEEDED = ("training.stage_two", "training.evaluation.report")


def write_households(shop: Shop) -> None:
    """Of two thirds of the users, in the form of the tutorial's table; the age of a user changes once."""
    users = sorted(
        pd.read_parquet(shop.settings.log_dir / "impressions.parquet", columns=["user_id"])["user_id"].unique()
    )
    rows = [
        (user, known_at, AGES[(number + later) % len(AGES)], f"{number % 3 * 25}K", str(number % 5 + 1))
        for number, user in enumerate(users)
        for later, known_at in enumerate(("2023-12-01T00:00:00Z", "2024-02-10T12:00:00Z"))
        if number % 3
    ]
    folder = PROJECT_ROOT / "warehouse"
    folder.mkdir()
    names = ["user_id", "known_at", "age_group", "income_group", "household_size"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "households.csv", index=False)


def run(shop: Shop, arguments: str) -> None:
    if arguments in NOT_NEEDED:
        return
    if arguments == "feature_repo.build":
        write_households(shop)
    shop.main(arguments)


def served(shop: Shop) -> dict[str, Any]:
    """What the scorer explains, and for each feature how many values the audit compared, and how many differ."""
    bodies = [shop.request_of(slate) for slate in shop.last_slates(ASKED)]
    with shop.scorer(RERANK_SCORE_LOG_MATRIX_SHARE="1") as client:
        for body in bodies:
            post(client, "/score", body)
        explained = post(client, "/explain", bodies[0])
    found = audit(shop.settings).features  # the scorer's end wrote its log
    counts = {each.feature.name: (each.compared, each.different, each.unexplained) for each in found}
    return {"explained": explained, "audit": counts}


def post(client: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(path, json=body).raise_for_status().json()


def main() -> int:
    shop = Shop(Path(sys.argv[1]), "simulated")
    shop.write_params()
    try:
        shop.run_pipeline(f"simulated --size {SLATES}", lambda arguments: run(shop, arguments))
        store = ModelStore(shop.settings)
        store.promote("1")  # the trained one, also where a baseline is as good on so few slates
        print(json.dumps({"features": store.load().contract.feature_names, **served(shop)}))
    finally:
        shop.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
