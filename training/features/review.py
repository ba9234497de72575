"""Puts the review together: one row per model input, one per family, and those that cost and give nothing."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from feature_repo.model_features import model_features
from feature_repo.schema import Declaration
from infra.models.ranker import LightGbmRanker
from training.ablation.families import feature_families
from training.ablation.results import EARNS, verdict
from training.evaluation.bootstrap import Interval
from training.evaluation.ranker_evaluation import DECIDING
from training.features.drift import Drift, drift
from training.features.importance import Permutation, Score, Shuffling, losses, spared
from training.features.online_cost import OnlineCost
from training.features.values import read_values
from training.training_set.ranking_data import RankingData

UNUSED = "never split on"


@dataclass(frozen=True)
class Gain:
    """By feature: the share of the total gain of all splits, and the number of splits."""

    share: Mapping[str, float]
    splits: Mapping[str, int]

    @staticmethod
    def of(ranker: LightGbmRanker) -> Gain:
        names = ranker.feature_names
        gain, splits = (ranker.booster.feature_importance(kind).tolist() for kind in ("gain", "split"))
        total = sum(gain) or 1.0
        shares = dict(zip(names, (each / total for each in gain), strict=True))
        return Gain(shares, dict(zip(names, map(int, splits), strict=True)))


@dataclass(frozen=True)
class Distribution:
    """``coverage``: the share of rows with a value, by split. ``drift``: from train to test."""

    coverage: Mapping[str, float]
    drift: Drift


@dataclass(frozen=True)
class Losses:
    """What shuffling costs: each feature, each family, and the ``spared`` features all together."""

    full: Interval
    users: int
    features: Mapping[str, Interval]
    families: Mapping[str, Interval]
    spared: tuple[str, ...]
    of_spared: Interval


def distributions(path: Path, declaration: Declaration) -> dict[str, Distribution]:
    """By feature, over all rows of the training set. Raises BadTrainingSet."""
    found = {}
    for values in read_values(path, {feature.name: feature.dtype for feature in model_features(declaration)}):
        split = values.by_split
        of_split = drift(split["train"], split["test"], is_category=values.is_category)
        found[values.name] = Distribution(values.coverage(), of_split)
    return found


def permuted(
    data: RankingData, score: Score, gain: Gain, families: Mapping[str, Sequence[str]], shuffling: Shuffling
) -> Losses:
    """``data``: judged slates; ``score``: the ranker's, of many slates at once."""
    permutation = Permutation(data, score, shuffling)
    read = {name for name, splits in gain.splits.items() if splits}
    of_features = losses(permutation, {name: (name,) for name in data.feature_names}, read)
    of_families = losses(permutation, families, read)
    doubtful = [name for name, loss in of_features.items() if name in read and verdict(loss) != EARNS]
    names, of_spared = spared(permutation, sorted(doubtful, key=lambda name: (of_features[name].mean, name)))
    full = permutation.full
    print(f"  {DECIDING} {full.mean:.4f} on {full.slates:,} slates", file=sys.stderr, flush=True)
    return Losses(full, permutation.users, of_features, of_families, names, of_spared)


def review(
    declaration: Declaration,
    spread: Mapping[str, Distribution],
    gain: Gain,
    found: Losses,
    cost: OnlineCost | None,
    ablation: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The body of the JSON file, without what is known of the model. ``ablation``: the body of the ranker's."""
    families = feature_families(declaration)
    family_of = {name: family for family, names in families.items() for name in names}
    features = [
        {
            "name": each.name,
            "family": family_of[each.name],
            "description": each.description,
            "dtype": each.dtype,
            "coverage": dict(spread[each.name].coverage),
            "gain": gain.share[each.name],
            "splits": gain.splits[each.name],
            "loss": asdict(found.features[each.name]),
            "psi": spread[each.name].drift.psi,
            "ks": spread[each.name].drift.ks,
            "drift": spread[each.name].drift.verdict,
            "online_us": None if cost is None else cost.features[each.name],
            "verdict": verdict(found.features[each.name]) if gain.splits[each.name] else UNUSED,
        }
        for each in model_features(declaration)
    ]
    of_families = [_family(name, names, gain, found, cost, ablation) for name, names in families.items()]
    return {
        "metric": DECIDING,
        "value": asdict(found.full),
        "users": found.users,
        "features": features,
        "families": of_families,
        "reads": _reads(families, cost),
        "cost": None if cost is None else {each: getattr(cost, each) for each in ("slates", "candidates", "fill_us")},
        "ablation": None if ablation is None else {each: ablation[each] for each in ("seeds", "users", "rounds")},
        "nothing": _nothing(features, of_families, found),
    }


def _family(
    name: str,
    features: Collection[str],
    gain: Gain,
    found: Losses,
    cost: OnlineCost | None,
    ablation: Mapping[str, Any] | None,
) -> dict[str, Any]:
    parts = [] if ablation is None else [each for each in ablation["parts"] if each["name"] == name]
    return {
        "name": name,
        "features": len(features),
        "gain": sum(gain.share[each] for each in features),
        "loss": asdict(found.families[name]),
        "online": _part(cost, name),
        "ablation": {each: parts[0][each] for each in ("worth", "verdict")} if parts else None,
        "verdict": verdict(found.families[name]) if any(gain.splits[each] for each in features) else UNUSED,
    }


def _reads(families: Mapping[str, Any], cost: OnlineCost | None) -> list[dict[str, Any]]:
    """The views without an input of their own: derived families read them."""
    names = () if cost is None else [name for name in cost.parts if name not in families]
    return [{"name": name, "online": _part(cost, name)} for name in names]


def _part(cost: OnlineCost | None, name: str) -> dict[str, Any] | None:
    return None if cost is None or name not in cost.parts else asdict(cost.parts[name])


def _nothing(
    features: Sequence[Mapping[str, Any]], families: Sequence[Mapping[str, Any]], found: Losses
) -> dict[str, Any]:
    """What gives nothing, the dearest features first. Of a family its ablation decides, where there is one.

    ``covered``: features that show no loss alone, and perhaps do together with the ``spared`` ones.
    """
    named = [each for each in features if each["verdict"] != EARNS]
    named.sort(key=lambda each: (-(each["online_us"] or 0.0), each["name"]))
    unused = [each["name"] for each in named if each["verdict"] == UNUSED]
    spared = [each["name"] for each in named if each["name"] in found.spared]
    return {
        "unused": unused,
        "spared": spared,
        "loss": asdict(found.of_spared),
        "online_us": sum(each["online_us"] or 0.0 for each in named if each["name"] in (*unused, *spared)),
        "covered": [each["name"] for each in named if each["name"] not in (*unused, *spared)],
        "families": [each["name"] for each in families if (each["ablation"] or each)["verdict"] != EARNS],
    }
