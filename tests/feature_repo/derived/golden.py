"""The golden matrix: slates and the feature values they give, committed as ``golden.json``.

It holds each family of features to its version. After a deliberate change, raise the family's version and run

    python -m tests.feature_repo.derived.golden

which writes the new values of the families whose version was raised, and refuses any other change.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feature_repo.definitions.views import views
from feature_repo.derived.families import FAMILIES, derived_versions
from feature_repo.model_features import STORED_VERSION, feature_matrix, model_features
from feature_repo.schema import Column, Declaration, DType
from feature_repo.slate import Row, Slate, column_array, floats
from infra.models.vocabulary import Vocabulary

PATH = Path(__file__).with_name("golden.json")
DECLARATION = Declaration(
    name="golden",
    title="golden",
    timezone="America/New_York",
    facts=(Column("is_recommended", DType.FLOAT32, "flag", "flag", True, 0, 1),),
    context=(Column("store_id", DType.STRING, "store"),),
)
VOCABULARY = Vocabulary({"category_id": ("y", "x"), "brand": ("b1",), "shop_id": ("t",), "context_store_id": ("330",)})
Values = dict[str, list[float | None]]  # feature -> (n,), None is NaN


def read() -> dict[str, Any]:
    return json.loads(PATH.read_text())


def versions() -> dict[str, int]:
    return {"stored": STORED_VERSION, **derived_versions()}


def slate_of(body: Mapping[str, Any]) -> Slate:
    """A slate from its JSON; item columns that are left out are null."""
    n = len(body["item_ids"])
    dtypes = {c.name: c.dtype for view in views(DECLARATION) if view.entity == "item" for c in view.columns}
    return Slate(
        scored_us=body["scored_us"],
        item_ids=body["item_ids"],
        items={name: column_array(body["items"].get(name, [None] * n), dtype) for name, dtype in dtypes.items()},
        user=Row(body["user"]),
        session=Row(body["session"]),
        companions={item: (ids, shares) for item, (ids, shares) in body["companions"].items()},
        facts={name: floats(values) for name, values in body["facts"].items()},
        context=body["context"],
    )


def values_of(slate: Slate) -> dict[str, Values]:
    """Family -> feature -> values, as they stand in the matrix."""
    matrix = feature_matrix(slate, DECLARATION, VOCABULARY)
    family_of = {feature.name: family.name for family in FAMILIES for feature in family.features}
    found: dict[str, Values] = {}
    for j, feature in enumerate(model_features(DECLARATION)):
        column = [None if math.isnan(value) else value for value in matrix[:, j].tolist()]
        found.setdefault(family_of.get(feature.name, "stored"), {})[feature.name] = column
    return found


def changes(golden: Mapping[str, Any]) -> dict[str, list[str]]:
    """Family -> what differs from the golden matrix, one sentence per feature and slate."""
    found: dict[str, list[str]] = {family: [] for family in versions()}
    for case in golden["slates"]:
        now = values_of(slate_of(case["slate"]))
        for family in now.keys() | case["values"].keys():
            was, present = case["values"].get(family, {}), now.get(family, {})
            for name in sorted(was.keys() | present.keys()):
                if was.get(name) != present.get(name):
                    found.setdefault(family, []).append(
                        f"{name} of the slate {case['name']!r} was {was.get(name)}, is {present.get(name)}"
                    )
    return found


def main() -> int:
    golden = read()
    for family, sentences in changes(golden).items():
        if sentences and versions().get(family) == golden["versions"].get(family):
            print(f"{family}: values changed, but the version is still {versions()[family]}: raise it first")
            print("\n".join(f"  {sentence}" for sentence in sentences))
            return 1
    golden["versions"] = versions()
    for case in golden["slates"]:
        case["values"] = values_of(slate_of(case["slate"]))
    write(golden)
    return 0


def write(golden: Mapping[str, Any]) -> None:
    text = json.dumps(golden, indent=1)
    one_line_lists = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found.group().split()), text)
    PATH.write_text(one_line_lists + "\n")


if __name__ == "__main__":
    sys.exit(main())
