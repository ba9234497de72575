"""Whether a documented command exists and takes its arguments, without running it."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from functools import cache, partial
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import yaml

from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY
from infra.settings import PROJECT_ROOT, Settings
from serving.events.event_schema import parse_events
from serving.events.item_schema import parse_items
from serving.recommend.recommend_parser import parse_k, parse_query, parse_recommend
from serving.score.score_parser import parse, parse_explain
from tests.docs.pages import commands, pages

BODIES = {
    "/score": parse,
    "/recommend": parse_recommend,
    "/explain": parse_explain,
    "/events": parse_events,
    "/items": partial(parse_items, declaration=COMPLETE_JOURNEY),
    "/invocations": json.loads,
}
SETTINGS = {f"RERANK_{name.upper()}" for name in Settings.model_fields}
VARIABLES = {"DATASET", "INPUT"}  # of the Makefile, beside the settings
EXTRAS = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
_HELP = """
import contextlib, io, json, runpy, sys
found = {}
for module in json.loads(sys.argv[1]):
    sys.argv = [module, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            found[module] = said.getvalue() if not end.code else f"exit {end.code}"
        except ModuleNotFoundError as error:
            found[module] = f"needs {error.name}"
print(json.dumps(found))
"""


class CommandProblem(AssertionError):
    """The command does not exist, or does not take an argument."""


def check(words: list[str], config: pytest.Config) -> None:
    """Raises CommandProblem."""
    words = _without_assignments(words)
    if not words:
        return
    program, arguments = Path(words[0]).name, words[1:]
    if program not in CHECKS:
        raise CommandProblem(f"{words[0]}: no check is known for this program")
    CHECKS[program](arguments, config)


def _require(holds: object, problem: str) -> None:
    if not holds:
        raise CommandProblem(problem)


def _without_assignments(words: list[str]) -> list[str]:
    if words[0] == "export":
        words = words[1:]
    while words and (found := re.match(r"([A-Za-z_]\w*)=", words[0])):
        name = found[1]
        _require(not name.startswith("RERANK_") or name in SETTINGS, f"{name} is no setting")
        words = words[1:]
    return words


def _make(arguments: list[str], _: pytest.Config) -> None:
    verbs = set(re.findall(r"^([a-z][a-z-]*):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
    for verb in arguments:
        name = re.match(r"([A-Z_]+)=", verb)
        if name:
            known = name[1] in SETTINGS | VARIABLES
            _require(known, f"make {verb}: neither a setting nor {' or '.join(sorted(VARIABLES))}")
            continue
        _require(verb in verbs, f"make {verb}: the Makefile has no such verb")


def _python(arguments: list[str], config: pytest.Config) -> None:
    _require(len(arguments) > 1 and arguments[0] in ("-m", "-c"), f"python {arguments}: neither -m nor -c")
    if arguments[0] == "-c":
        compile(arguments[1], "-c", "exec")
        return
    module, rest = arguments[1], arguments[2:]
    _require(is_command(module), f"python -m {module}: no such command")
    if module == "infra.low_priority":
        check(rest, config)
    elif module == "training.gru4rec":
        _gru4rec(rest)
    else:
        _arguments(module, rest)


def is_command(module: str) -> bool:
    """Whether ``python -m module`` runs something."""
    try:
        if importlib.util.find_spec(f"{module}.__main__") is not None:
            return True
    except ModuleNotFoundError:
        pass
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return False
    return spec is not None and spec.origin is not None and "__main__" in Path(spec.origin).read_text()


def _gru4rec(arguments: list[str]) -> None:
    from training.gru4rec.__main__ import COMMANDS
    from training.gru4rec.config import known_keys

    if arguments:
        _require(arguments[0] in COMMANDS, f"training.gru4rec has no command {arguments[0]}")
    for each in arguments[1:]:
        _require(each.split("=")[0] in known_keys(), f"training.gru4rec has no setting {each}")


def _arguments(module: str, arguments: list[str]) -> None:
    if not arguments:
        return
    text = help_texts().get(module, "")
    _require(text, f"python -m {module} takes no arguments")
    for flag in (each for each in arguments if each.startswith("--")):
        _require(re.search(rf"(?<![\w-]){flag}(?![\w-])", text), f"python -m {module} has no {flag}")
    choices = re.search(r"\{([\w,]+)\}", text)
    if choices and not arguments[0].startswith("-"):
        _require(arguments[0] in choices[1].split(","), f"python -m {module} has no {arguments[0]}")


@cache
def help_texts() -> dict[str, str]:
    """What every documented command that parses arguments prints for --help, all from one process.

    Where an extra is not installed, the flags of the command's source instead.
    """
    modules = sorted(module for module in documented() if "ArgumentParser(" in source_of(module).read_text())
    done = subprocess.run(
        [sys.executable, "-c", _HELP, json.dumps(modules)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    texts: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    for module, text in texts.items():
        if text.startswith("needs "):
            _require(_is_extra(text.split()[1]), f"python -m {module} {text}")
            texts[module] = " ".join(_flags(source_of(module)))
    return texts


def documented() -> set[str]:
    """The commands that README and docs name with arguments."""
    texts = [each for page in pages() for each in (*page.spans(), *(block.text for block in page.blocks()))]
    named = {found for text in texts for found in re.findall(r"python -m ([\w.]+) +[^\s`]", text)}
    return {module for module in named if is_command(module)}


def source_of(module: str) -> Path:
    """Where the command's arguments are parsed: in it, or in the module whose ``main`` it calls."""
    path = PROJECT_ROOT / module.replace(".", "/")
    path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
    imported = re.search(r"^from (\S+) import main$", path.read_text(), re.MULTILINE)
    return PROJECT_ROOT / f"{imported[1].replace('.', '/')}.py" if imported else path


def _is_extra(module: str) -> bool:
    names = [re.split(r"[>=<\[]", each)[0] for extra in EXTRAS.values() for each in extra]
    return module.split(".")[0].replace("_", "-") in names


def _flags(path: Path) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    added = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument"]
    return [str(argument.value) for call in added for argument in call.args if isinstance(argument, ast.Constant)]


def _pytest(arguments: list[str], config: pytest.Config) -> None:
    files = [each for each in arguments if each.endswith(".py")]
    names = {name for file in files for name in re.findall(r"^def (test_\w+)", (PROJECT_ROOT / file).read_text(), re.M)}
    _require(names, f"pytest {arguments} finds no test")
    for i, word in enumerate(arguments):
        if word == "-k":
            _require(any(arguments[i + 1] in name for name in names), f"-k {arguments[i + 1]} selects no test")
        elif word.startswith("--"):
            _require(config.getoption(word, default=None) is not None, f"pytest has no {word}")


def _feast(arguments: list[str], _: pytest.Config) -> None:
    """Parsed by Feast's own command line."""
    import click
    from feast.cli.cli import cli

    command, context = cli, click.Context(cli)
    while arguments:
        try:
            _, arguments, _ = command.make_parser(context).parse_args(list(arguments))
        except click.UsageError as error:
            raise CommandProblem(f"feast {arguments}: {error.message}") from error
        if not isinstance(command, click.Group) or not arguments:
            return
        found = command.get_command(context, arguments[0])
        _require(found, f"feast has no {arguments[0]}")
        command, arguments = found, arguments[1:]
        context = click.Context(command, parent=context)


def _dvc(arguments: list[str], _: pytest.Config) -> None:
    _require(arguments[0] == "repro", f"dvc {arguments[0]}: no check is known")
    stages = yaml.safe_load((PROJECT_ROOT / "dvc.yaml").read_text())["stages"]
    for target in (each for each in arguments[1:] if each != "--force"):
        _require(target in stages or (PROJECT_ROOT / target).is_file(), f"dvc repro: neither stage nor file {target}")


def _pip(arguments: list[str], _: pytest.Config) -> None:
    _require(arguments[:3] == ["install", "--constraint", "constraints.txt"], f"pip {arguments}")
    wanted = re.fullmatch(r"\.\[([\w,-]+)\]", arguments[-1])
    _require(wanted and set(wanted[1].split(",")) <= EXTRAS.keys(), f"pip: unknown extra in {arguments[-1]}")


def _curl(arguments: list[str], _: pytest.Config) -> None:
    if "-d" not in arguments:
        _get(next(each for each in arguments if each.startswith("localhost")))
        return
    path = re.fullmatch(r"localhost:\d+(/\w+)", next(each for each in arguments if each.startswith("localhost")))
    assert path is not None
    _require(path[1] in BODIES, f"curl: no endpoint {path[1]}")
    BODIES[path[1]](arguments[arguments.index("-d") + 1].encode())


def _get(url: str) -> None:
    """Of an id."""
    found = re.fullmatch(r"localhost:\d+/(\w+)/(\w+)\?(.*)", url)
    _require(found and found[1] in ("recommend", "similar"), f"curl: no endpoint of {url}")
    assert found is not None
    parameters = parse_qsl(found[3], strict_parsing=True)
    if found[1] == "similar":
        parse_k(parameters)
    else:
        parse_query(found[2], parameters, {column.name for column in COMPLETE_JOURNEY.context})


def _sed(arguments: list[str], _: pytest.Config) -> None:
    if arguments[0] == "-i":
        _require((PROJECT_ROOT / arguments[-1]).is_file(), f"sed -i: no file {arguments[-1]}")


def _setsid(arguments: list[str], config: pytest.Config) -> None:
    check([each for each in arguments if each != "-w"], config)


def _docker(arguments: list[str], _: pytest.Config) -> None:
    _require(arguments[:2] == ["compose", "up"], f"docker {arguments}: no check is known")


def _nothing(_: list[str], __: pytest.Config) -> None:
    """A program of the system, whose arguments are not ours."""


CHECKS = {
    "make": _make,
    "python": _python,
    "pytest": _pytest,
    "feast": _feast,
    "dvc": _dvc,
    "pip": _pip,
    "curl": _curl,
    "sed": _sed,
    "setsid": _setsid,
    "docker": _docker,
    "sleep": _nothing,
    "echo": _nothing,
}


def check_text(text: str, config: pytest.Config) -> None:
    """All commands of a shell text. Raises CommandProblem."""
    for words in commands(text):
        check(words, config)
