"""Who may import whom, where the environment and the time are read, and how large a folder and a module may be.

Imports are read from the syntax tree: those inside functions count, text in comments and strings does not.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.source_tree import PACKAGES, ROOT, Module, modules, package_folders

# Package -> the packages that it may import beside itself. None imports tests or benchmarks.
PACKAGES_MAY_IMPORT = {
    "infra": (),
    "feature_repo": ("infra",),
    "validation": ("infra", "feature_repo"),
    "training": ("infra", "feature_repo"),
    "serving": ("infra", "feature_repo"),
    "benchmarks": ("infra", "feature_repo", "validation", "training", "serving"),
}

# Of serving, what every folder may import: these import none but each other.
GROUND = ("serving.errors", "serving.ids", "serving.metrics", "serving.ttl", "serving.score_log")
# The rest of serving in order: each may import the ones after it.
SERVING = ("__main__", "worker", "api", "web", "events", "recommend", "score", "features", "item_cache", "redis_client")
# The rooms of training.gru4rec in order: each may import the ones before it, and the modules at the package's top.
GRU4REC = ("sessions", "network", "baselines", "evaluation", "fitting", "export")

# The parts of infra.models in order: each may import the ones before it. The reader of a model's text comes before the
# ranker, which checks a file with it; the other modules of the trees come after the ranker, whose scores they compute.
MODELS = (
    "infra.models.arrays",
    "infra.models.model_contract",
    "infra.models.vocabulary",
    "infra.models.trees.forest",
    "infra.models.ranker",
    "infra.models.trees",
)

# Room -> what else of its package it may import. A module belongs to the longest room that its name begins with.
ROOMS_MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "infra": ("infra.durable_file",),
    "infra.durable_file": (),
    "infra.report_page": (),
    "infra.models": ("infra", *MODELS),
    "infra.redis_server": ("infra", "infra.durable_file"),
    "feature_repo": (),
    "validation": ("validation.gates", "validation.gates.report"),
    "validation.gates": ("validation.gates.report", "validation.gates.rules", "validation.gates.facts"),
    "validation.gates.report": ("validation.gates.rules", "validation.gates.facts"),
    "validation.gates.rules": ("validation.gates.facts",),
    "validation.gates.facts": (),
    "validation.skew": ("validation.skew.causes", "validation.gates", "validation.gates.rules"),
    "validation.skew.causes": (),
    "training": ("training.ranker",),
    "training.training_set": (),
    "training.evaluation": ("training.training_set",),
    "training.ranker": ("training.training_set", "training.evaluation"),
    "training.candidates": ("training.candidates.sources",),
    "training.candidates.sources": ("training.candidates", "training.gru4rec", "training.gru4rec.sessions"),
    "training.stage_two": ("training.candidates", "training.training_set", "training.evaluation", "training.ranker"),
    "training.buyers": ("training.candidates", "training.evaluation", "training.training_set"),
    "training.recommend": (
        "training.buyers",
        "training.candidates",
        "training.evaluation",
        "training.ranker",
        "training.stage_two",
        "training.training_set",
    ),
    "training.tune": (
        "training.buyers",
        "training.candidates",
        "training.evaluation",
        "training.ranker",
        "training.stage_two",
        "training.training_set",
    ),
    "training.ablation": (
        "training.candidates",
        "training.evaluation",
        "training.ranker",
        "training.stage_two",
        "training.training_set",
        "training.tune",
    ),
    "training.features": (
        "training.ablation",
        "training.evaluation",
        "training.ranker",
        "training.training_set",
    ),
    "training.report": (
        "training.ablation",
        "training.buyers",
        "training.candidates",
        "training.evaluation",
        "training.recommend",
        "training.stage_two",
        "training.training_set",
        "training.tune",
    ),
    "training.gru4rec": (),
    "serving": (),
    "benchmarks": (),
}
ROOMS_MAY_IMPORT |= {room: ("infra.durable_file", *MODELS[:index]) for index, room in enumerate(MODELS)}
ROOMS_MAY_IMPORT |= {
    f"training.gru4rec.{room}": ("training.gru4rec", *(f"training.gru4rec.{each}" for each in GRU4REC[:index]))
    for index, room in enumerate(GRU4REC)
}
ROOMS_MAY_IMPORT |= {
    f"serving.{room}": (*GROUND, *(f"serving.{each}" for each in SERVING[index + 1 :]))
    for index, room in enumerate(SERVING)
}
ROOMS_MAY_IMPORT |= dict.fromkeys(GROUND, GROUND)

# Modules that read or set environment variables; the rest is given a Settings.
ENVIRONMENT = {
    "validation/gates/gx.py",  # Great Expectations sends statistics unless a variable is set before its import
    "serving/metrics.py",  # prometheus-client learns the workers' folder from nothing else
}
# Modules that ask for the time of day; the rest asks a clock that is passed to it.
TIME_OF_DAY = {
    "infra/clock.py",
    "serving/score_log/files.py",  # the age of a file by its modification time, which no clock of ours sets
}
# Modules that ask the clock: commands, requests, and what records when a materialization ran.
CLOCK_READERS = {
    "feature_repo/materialize.py",
    "feature_repo/replay_start.py",
    "feature_repo/online/future.py",
    "feature_repo/online/materialization_log.py",
    "validation/__main__.py",
    "serving/worker.py",
    "serving/events/event_intake.py",
    "serving/score/scorer.py",
    "serving/score/champion.py",
    "serving/recommend/recommender.py",
    "serving/recommend/similar.py",
    "serving/web/routes/guard.py",
    "serving/web/shelves.py",
    "serving/web/shop.py",
    "benchmarks/events/servers.py",
    "benchmarks/online/servers.py",
    "benchmarks/recommend/servers.py",
}
MAX_MODULES = 14  # in one folder, without its __init__
MAX_LINES = 300


def room_of(name: str) -> str:
    """The longest room that the module's name begins with."""
    parts = name.split(".")
    heads = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next(head for head in heads if head in ROOMS_MAY_IMPORT)


def is_allowed(importer: str, imported: str) -> bool:
    package, other = importer.split(".")[0], imported.split(".")[0]
    if package != other:
        return other in PACKAGES_MAY_IMPORT[package]
    room = room_of(importer)
    return room_of(imported) in (room, *ROOMS_MAY_IMPORT[room])


def forbidden_imports(module: Module) -> list[str]:
    return [f"{module.file} imports {each}" for each in sorted(module.imports) if not is_allowed(module.name, each)]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_module_imports_only_what_its_folder_may(package: str) -> None:
    found = list(modules(package))
    assert len(found) > 5
    assert "\n".join(line for module in found for line in forbidden_imports(module)) == ""


def test_serving_holds_only_its_processes_and_the_ground_at_its_top() -> None:
    allowed = {*GROUND, "serving.__main__", "serving.worker", "serving"}
    assert {Module(path).name for path in (ROOT / "serving").glob("*.py")} - allowed == set()


def test_the_table_of_rooms_names_what_exists() -> None:
    for room in ROOMS_MAY_IMPORT.keys() - {"serving.ttl"}:
        path = ROOT.joinpath(*room.split("."))
        assert path.is_dir() or path.with_suffix(".py").exists(), room


def test_imports_are_found_wherever_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.source_tree.ROOT", tmp_path)
    for name in ("infra/clock.py", "serving/api/app.py", "serving/api/routes.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "serving/api/app.py").write_text(
        "# import training\nfrom infra import clock\nfrom . import routes\n"
        "def f():\n    import feature_repo.store as s\n    return 'import validation'\n"
    )
    found = Module(tmp_path / "serving/api/app.py")
    assert found.imports == {"infra.clock", "serving.api.routes", "feature_repo.store"}
    assert forbidden_imports(found) == []
    (tmp_path / "infra/clock.py").write_text("from serving.api.app import app\n")
    assert forbidden_imports(Module(tmp_path / "infra/clock.py")) == ["infra/clock.py imports serving.api.app"]


def users_of(*names: str) -> set[str]:
    return {module.file for module in modules() if module.uses(*names)}


def test_the_environment_is_read_in_the_listed_modules_only() -> None:
    assert users_of("os.environ", "os.getenv", "os.putenv", "os.environb") == ENVIRONMENT


def test_the_time_of_day_is_asked_of_the_clock_only() -> None:
    now = ("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today")
    assert users_of(*now, "time.time", "time.time_ns", "pandas.Timestamp.now", "pandas.Timestamp.utcnow") == TIME_OF_DAY


def test_the_clock_is_read_in_the_listed_modules_only() -> None:
    readers = {
        module.file
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "now"
    }
    assert readers - {"infra/clock.py"} == CLOCK_READERS


def test_names_are_found_whatever_they_are_imported_as(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    for text in ("import os\nos.environ['x']", "from os import environ as e\ne['x']", "import os as o\no.environ"):
        file.write_text(text)
        assert Module(file).uses("os.environ"), text
    file.write_text("# os.environ\n'os.environ'\nimport os\nos.path")
    assert not Module(file).uses("os.environ")


def test_no_folder_has_more_modules_than_a_reader_can_hold() -> None:
    sizes = {
        folder.relative_to(ROOT).as_posix(): len([path for path in folder.glob("*.py") if path.stem != "__init__"])
        for folder in package_folders()
    }
    assert {folder: size for folder, size in sizes.items() if size > MAX_MODULES} == {}


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    long = {module.file: module.lines for module in modules() if module.lines > MAX_LINES}
    assert long == {}


def test_every_folder_says_what_it_holds() -> None:
    silent = [
        folder.relative_to(ROOT).as_posix()
        for folder in package_folders()
        if not (folder / "__init__.py").exists() or not ast.get_docstring(Module(folder / "__init__.py").tree)
    ]
    assert silent == []
