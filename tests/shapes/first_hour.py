"""``python -m tests.shapes.first_hour NAME --out FOLDER``: from a shape's files to a served answer, as a new user does.

Writes the shape into FOLDER/input, lets :mod:`feature_repo.init` guess its meaning, runs the commands of dvc.yaml with
data, state and parameters below FOLDER, starts the scorer and asks it to rank one slate. The truth lies beside the
folder ``input``, where no command looks for it.

Printed: the turns that the user had to take, minutes, who is champion of the ranker, NDCG@10 of champion, best
baseline, caller's order, random and the oracle on the very same test slates, and the share of the gap between the best
baseline and the oracle that the model closes. All output of the commands goes into FOLDER/commands.log.

``--ranker-only`` leaves out what the ranker does not need: recommendations, Redis' features and the scorer.
``--set PLACE=VALUE`` answers a question of init; each is a turn of the user's own, as is the command itself.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from infra.settings import PROJECT_ROOT
from tests.shapes.__main__ import SEED, SHAPES, truth_file, write_shape
from tests.shapes.oracle_run import OracleRun, judge
from tests.shapes.truth import load_truth
from tests.shop import Shop

LOG = "commands.log"
AFTER_THE_RANKER = ("training.stage_two", "feature_repo.materialize")
TAIL = 30  # lines of a failed command's output that are printed


class CommandFailed(RuntimeError):
    """A command ended with another exit status than 0."""


@dataclass(frozen=True)
class FirstHour:
    """``turns``: commands and answers of the user. ``seconds``: of each command, by name."""

    shop: Shop
    turns: int
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        return self.shop.folder / "input"

    def run(self, *words: str) -> None:
        """``python -m WORDS`` from the project's root. Raises CommandFailed with the end of its output."""
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=PROJECT_ROOT,
            env={**self.shop.environment, "RERANK_THREADS": "2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        name = " ".join(words[: 2 if words[0] == "validation" else 1])
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begin
        with (self.shop.folder / LOG).open("a") as log:
            log.write(f"$ python -m {' '.join(words)}\n{done.stdout}\n")
        if done.returncode:
            end = "\n".join(done.stdout.splitlines()[-TAIL:])
            raise CommandFailed(f"python -m {' '.join(words)}: exit {done.returncode}\n{end}")

    def pipeline(self, answers: Sequence[str] = (), *, ranker_only: bool = False) -> None:
        """From the files to a filled Redis, which is left running. Raises CommandFailed."""
        left_out = AFTER_THE_RANKER if ranker_only else ()
        told = [word for answer in answers for word in ("--set", answer)]
        self.run("feature_repo.init", self.shop.dataset, "--input", str(self.source), *told)
        self.shop.run_pipeline(
            f"files --input {self.source}",
            lambda arguments: None if arguments in left_out else self.run(*arguments.split()),
        )

    def answer(self) -> str:
        """The order that the scorer gives to the last slate of the log, by the model that it names."""
        slate = self.shop.last_slates(1)[0]
        with self.shop.scorer() as client:
            body = client.post("/score", json=self.shop.request_of(slate)).raise_for_status().json()
            model = client.get("/model").raise_for_status().json()
        first = ", ".join(item["item_id"] for item in body["items"][:3])
        return f"/score ranks {len(body['items'])} items by {model['name']} version {model['version']}: {first}, …"


def first_hour(
    name: str,
    folder: Path,
    *,
    seed: int = SEED,
    size: int | None = None,
    answers: Sequence[str] = (),
    ranker_only: bool = False,
) -> tuple[FirstHour, OracleRun, str]:
    """The hour, its rankers beside the oracle, and what the scorer answered, if it was asked. Raises CommandFailed."""
    hour = FirstHour(Shop(folder.resolve(), name), 1 + len(answers))
    shutil.rmtree(hour.source, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(PROJECT_ROOT / "params.yaml", hour.shop.settings.params_file)
    write_shape(name, hour.source, seed=seed, size=size)
    try:
        hour.pipeline(answers, ranker_only=ranker_only)
        served = "" if ranker_only else hour.answer()
    finally:
        hour.shop.stop()
    return hour, judge(hour.shop.settings, load_truth(truth_file(hour.source))), served


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.shapes.first_hour",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", choices=SHAPES)
    parser.add_argument("--out", type=Path, required=True, help="scratch folder for files, data, state and parameters")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--size", type=int, help="lists, baskets or sessions; default: the shape's full size")
    parser.add_argument("--set", action="append", default=[], dest="answers", metavar="PLACE=VALUE")
    parser.add_argument("--ranker-only", action="store_true", help="no recommendations and no scorer")
    given = parser.parse_args(argv)
    options = {"seed": given.seed, "size": given.size, "answers": given.answers, "ranker_only": given.ranker_only}
    try:
        hour, run, served = first_hour(given.name, given.out, **options)
    except CommandFailed as error:
        print(f"tests.shapes.first_hour: {error}", file=sys.stderr)
        return 1
    slowest = sorted(hour.seconds, key=lambda name: -hour.seconds[name])[:4]
    print(f"{given.name}: {hour.turns} turns of the user's own, {sum(hour.seconds.values()) / 60:.1f} minutes, of them")
    print("  " + ", ".join(f"{name} {hour.seconds[name]:.0f} s" for name in slowest))
    print("\n".join([*run.lines(), served]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
