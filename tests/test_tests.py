"""What is asked of the tests themselves: each asserts something, and none looks at what is private."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache

import pytest

from tests.source_tree import ROOT, Module, modules

Function = ast.FunctionDef | ast.AsyncFunctionDef

# File -> private names that its tests use all the same, and why.
PRIVATE: dict[str, dict[str, str]] = {
    "tests/feature_repo/online/redis_format/test_entity_keys.py": {
        "_redis_key": "Feast's own key is what ours is compared with"
    },
    "tests/feature_repo/online/stores.py": {
        "_convert_arrow_to_proto": "Feast's own conversion is what ours is compared with"
    },
    "tests/feature_repo/online/test_engine.py": {
        "_materialize_one": "the method that Feast asks an engine to override; here it stands for Feast's own run"
    },
    "tests/infra/redis_server/test_server.py": {
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
