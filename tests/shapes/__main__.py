"""``python -m tests.shapes NAME --out FOLDER [--seed N] [--size S]``: write a shape's files, and judge its oracle.

The files go into FOLDER. The truth goes beside it, into ``FOLDER.truth.npz``: an import of FOLDER cannot see it.
Printed for each kind of lists: NDCG@10 (equal scores counted against, lists without a positive left out) of the oracle,
of popularity, of the order in the files and of a random order.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

import numpy as np

from tests.shapes.slates import Slates, random_scores
from tests.shapes.truth import Truth

SHAPES = (
    "priced_lists",
    "movie_ratings",
    "search_features",
    "retail_invoices",
    "unix_clicks",
    "anonymous_purchases",
    "bandit_feedback",
    "grocery_baskets",
)
SEED = 7


def truth_file(folder: Path) -> Path:
    return folder.with_name(folder.name + ".truth.npz")


def write_shape(name: str, folder: Path, *, seed: int = SEED, size: int | None = None) -> Truth:
    """Write the files into ``folder`` and the truth beside it. ``size``: None is the full one."""
    module = import_module(f"tests.shapes.{name}")
    truth: Truth = module.write(folder, seed=seed, size=size if size is not None else module.FULL)
    truth.save(truth_file(folder))
    return truth


def oracle_scores(truth: Truth, slates: Slates) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return truth.utility(slates.user, slates.item, slates.us, slates.session, slates.position)


def judged(truth: Truth, slates: Slates) -> dict[str, float]:
    """Ranker -> mean NDCG@10."""
    scores = {"oracle": oracle_scores(truth, slates), "popularity": slates.popularity}
    if (slates.position >= 0).all():
        scores["order in the files"] = -slates.position.astype(np.float64)
    scores["random"] = random_scores(len(slates.slate))
    return {ranker: float(np.nanmean(slates.ndcg(of))) for ranker, of in scores.items()}


def described(name: str, slates: Slates) -> str:
    ndcg = slates.ndcg(random_scores(len(slates.slate)))
    first = np.unique(slates.slate, return_index=True)[1]
    share = np.add.reduceat(slates.label > 0, first).sum() / max(slates.wanted[first].sum(), 1)
    return (
        f"{name}: {len(first)} lists of {len(slates.slate) / len(first):.1f} on average, "
        f"{np.isfinite(ndcg).sum()} with a positive, {share:.2f} of what followed is in them"
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.shapes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=SHAPES)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--size", type=int, help="lists, baskets or sessions; default: the shape's full size")
    arguments = parser.parse_args(argv)
    truth = write_shape(arguments.name, arguments.out, seed=arguments.seed, size=arguments.size)
    for path in sorted(arguments.out.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} KB")
    for name, slates in truth.slates.items():
        print(described(name, slates))
        print("  NDCG@10 " + ", ".join(f"{ranker} {value:.4f}" for ranker, value in judged(truth, slates).items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
