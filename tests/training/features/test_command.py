"""The command over real shops: what it says of the costs, which need Redis, feature files and test slates."""

from __future__ import annotations

import json

import pytest

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.model_features import model_features
from tests.shop import STAGES, Shop
from training.ablation.families import feature_families
from training.ablation.results import EARNS

REVIEWED = ("--slates", "60", "--repeats", "1")
LEFT_OUT = ("training.stage_two", "feature_repo.materialize", "training.evaluation.report")


def reviewed(shop: Shop, *arguments: str) -> dict:
    file = shop.folder / "features.json"
    shop.python(" ".join(("training.features", *REVIEWED, "--json", str(file), *arguments)))
    assert (shop.settings.reports_dir / "features.html").read_text().startswith("<!doctype html>")
    return json.loads(file.read_text())


def check_costs(shop: Shop, found: dict) -> None:
    declaration = declaration_of(shop.settings)
    assert found["cost_problem"] is None
    assert found["cost"]["candidates"] > 1
    assert [each["name"] for each in found["features"]] == [each.name for each in model_features(declaration)]
    assert all(0 < each["online_us"] < 10_000 for each in found["features"])
    online = {each["name"]: each["online"] for each in (*found["families"], *found["reads"])}
    assert online["item_windows"]["decode_us"] > online["user_windows"]["decode_us"], (
        "of all candidates, not of one user"
    )
    assert online["history"]["first_us"] > online["history"]["again_us"], "a user's history is prepared once"
    assert online["user_history"]["kilobytes"] > 0


def test_the_default_data_set_is_reviewed(journey):
    found = reviewed(journey)
    check_costs(journey, found)
    assert {"item_companions", "user_history"} <= {each["name"] for each in found["reads"]}
    assert found["ablation"] is None


@pytest.mark.slow
def test_the_simulated_shop_is_reviewed_with_its_ablation(tmp_path):
    """Its users often order what they touched in the session; that is worth most in any of the tables."""
    shop = Shop(tmp_path, "simulated")
    shop.write_params()
    assert set(LEFT_OUT) < set(STAGES)
    try:
        shop.run_pipeline("simulated --size 1000", lambda stage: None if stage in LEFT_OUT else shop.main(stage))
        found = reviewed(shop, "--ablate")
    finally:
        shop.stop()
    check_costs(shop, found)
    families = {each["name"]: each for each in found["families"]}
    assert list(families) == list(feature_families(declaration_of(shop.settings)))
    assert families["session"]["verdict"] == EARNS
    assert families["session"]["ablation"]["verdict"] == EARNS
    assert "session" not in found["nothing"]["families"]
    constant = next(each for each in found["features"] if each["name"] == "session_orders")
    assert constant["name"] in found["nothing"]["unused"], "a session of this shop ends with its order"
    assert (constant["psi"], constant["coverage"]["test"]) == (pytest.approx(0, abs=1e-3), 1.0)
