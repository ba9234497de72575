"""What is asked of the tests themselves: each asserts something, and none looks at what is private."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache

import pytest

from tests.source_tree import ROOT, Module, modules

Function = ast.FunctionDef | ast.AsyncFunctionDef
NAMED_TEST = r"`(tests/[a-z0-9_/]+\.py)::(test_\w+)`"

# File -> private names that its tests use all the same, and why.
PRIVATE: dict[str, dict[str, str]] = {
    "tests/feature_repo/online/redis_format/test_entity_keys.py": {
        "_redis_key": "Feast's own key is what ours is compared with"
    },
    "tests/feature_repo/online/stores.py": {
        "_convert_arrow_to_proto": "Feast's own conversion is what ours is compared with"
    },
    "tests/feature_repo/online/test_engine_unsupported.py": {
        "_materialize_one": "the method that Feast asks an engine to override; here it stands for Feast's own run"
    },
    "tests/infra/redis_server/test_endpoint.py": {
        "_parse_connection_string": "how Feast reads our connection string shows in nothing public",
        "_get_client": "the client that Feast makes of our connection string",
    },
}


# ------------------------------------------------------------------------------------------- assertions


@cache
def functions_of(module: Module) -> dict[str, list[Function]]:
    """Name -> functions and methods of that name."""
    found: dict[str, list[Function]] = {}
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            found.setdefault(node.name, []).append(node)
    return found


@cache
def reachable(module: Module) -> tuple[Module, ...]:
    """The module and those of the tests that it imports, theirs too."""
    found, waiting = {module}, [module]
    while waiting:
        for name in waiting.pop().imports:
            path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
            if name.startswith("tests.") and path.exists() and Module(path) not in found:
                found.add(Module(path))
                waiting.append(Module(path))
    return tuple(found)


def asserts(function: ast.AST, module: Module, seen: frozenset[str] = frozenset()) -> bool:
    """Whether it holds an ``assert``, a ``pytest.raises``, or a call of a function of the tests that does."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if not isinstance(node, ast.Call):
            continue
        if ast.unparse(node.func) in ("pytest.raises", "pytest.warns", "pytest.fail"):
            return True
        name = ast.unparse(node.func).rpartition(".")[2]
        if name.startswith("assert_"):  # numpy's, pandas's and ours
            return True
        if name not in seen and any(
            asserts(helper, found, seen | {name})
            for found in reachable(module)
            for helper in functions_of(found).get(name, ())
        ):
            return True
    return False


def cases_of(module: Module) -> Iterator[Function]:
    """The functions that pytest collects."""
    for node in module.tree.body:
        if isinstance(node, Function) and node.name.startswith("test_"):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (each for each in node.body if isinstance(each, Function) and each.name.startswith("test_"))


def test_every_test_asserts_something() -> None:
    silent = [
        f"{module.file}::{test.name}"
        for module in modules("tests")
        if module.path.name.startswith("test_")
        for test in cases_of(module)
        if not asserts(test, module)
    ]
    assert "\n".join(silent) == ""


# --------------------------------------------------------------------------------------- private names


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_uses(tree: ast.AST) -> Iterator[str]:
    """Private names that are read, written, imported or patched, but for those of ``self`` and ``cls``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")):
                yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if is_private(alias.name))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
            "setattr", "delattr", "getattr", "hasattr", "patch", "object", "attrgetter",
        ):  # fmt: skip
            texts = (each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str))
            yield from (part for text in texts for part in text.split(".") if is_private(part))


def test_no_test_looks_at_what_is_private() -> None:
    found = [
        f"{module.file}: {name}"
        for module in modules("tests")
        for name in sorted(set(private_uses(module.tree)) - PRIVATE.get(module.file, {}).keys())
    ]
    assert "\n".join(found) == ""


def test_the_allowed_private_names_are_still_used() -> None:
    for file, names in PRIVATE.items():
        assert set(private_uses(Module(ROOT / file).tree)) >= names.keys(), file


# ------------------------------------------------------------------------------------- tests/README.md


def test_the_readme_names_tests_that_exist_for_every_rule_of_the_time_contract() -> None:
    text = (ROOT / "tests" / "README.md").read_text()
    table = text.partition("## The time contract")[2]
    rules = [line.split("|")[1:3] for line in table.splitlines() if re.match(r"\| \d", line)]
    assert {rule.split(".")[0].strip(" abcdef") for rule, _ in rules} == set("1234567")
    assert [rule for rule, tests in rules if not re.search(NAMED_TEST, tests)] == []
    assert "\n".join(filter(None, (what_is_wrong_with(*found) for found in re.findall(NAMED_TEST, text)))) == ""


def what_is_wrong_with(file: str, name: str) -> str:
    """Why there is no such test, and which may be meant; "" if there is one."""
    if not (ROOT / file).exists():
        return f"{file} does not exist"
    names = [case.name for case in cases_of(Module(ROOT / file))]
    return "" if name in names else f"{file}::{name}: perhaps {get_close_matches(name, names, 1, 0.0)}"


def test_the_readme_lists_the_options_as_they_are() -> None:
    """Each default is conftest.py's, each value of ``make test-all`` the Makefile's."""
    listed = re.findall(r"\| `(--[a-z-]+)` \| (\d+) \| (\d+) \|", (ROOT / "tests" / "README.md").read_text())
    defaults = re.findall(r'"(--[a-z-]+)", type=int, default=(\w+)', (ROOT / "tests" / "conftest.py").read_text())
    assert [(name, int(default)) for name, default, _ in listed] == [(name, int(value)) for name, value in defaults]
    makefile = (ROOT / "Makefile").read_text()
    assert [name for name, _, more in listed if f"{name} {more}" not in makefile] == []


# ----------------------------------------------------------------------------- the checks see what they should


@pytest.mark.parametrize(
    "text",
    [
        "assert 1",
        "with pytest.raises(ValueError): f()",
        "np.testing.assert_array_equal(a, b)",
        "check(1)",
        "some.check(1)",
        "def inner():\n        assert 1\n    inner()",
    ],
)
def test_an_assertion_is_found(text: str, tmp_path) -> None:
    (tmp_path / "test_x.py").write_text(f"def check(x):\n    assert x\n\ndef test_x():\n    {text}\n")
    module = Module(tmp_path / "test_x.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.source_tree.ROOT", tmp_path)
        assert asserts(functions_of(module)["test_x"][0], module)
