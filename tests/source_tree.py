"""The project's Python files as syntax trees: what they import, which names they use, how long they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("infra", "feature_repo", "validation", "training", "serving", "benchmarks")


@dataclass(frozen=True)
class Module:
    """``path``: of the file. ``name``: as it is imported; a folder's ``__init__`` has the folder's name."""

    path: Path

    @property
    def name(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def file(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def imports(self) -> set[str]:
        """Modules of ours that are imported anywhere in the file, also inside a function or for types only."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                start = self._start_of(node)
                found |= {_module(start, alias.name) for alias in node.names}
        return {name for name in found if name.split(".")[0] in (*PACKAGES, "tests")}

    def uses(self, *names: str) -> bool:
        """Whether one of the dotted ``names`` (``os.environ``) is used, whatever it is imported as."""
        wanted = set(names)
        aliases = self._aliases()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute | ast.Name):
                first, _, rest = ast.unparse(node).partition(".")
                if ".".join(filter(None, (aliases.get(first, first), rest))) in wanted:
                    return True
        return False

    def _aliases(self) -> dict[str, str]:
        """Name in this file -> what it stands for: ``datetime`` -> ``datetime.datetime``."""
        found = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.asname: alias.name for alias in node.names if alias.asname}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        return found

    def _start_of(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        folder = self.path.parents[node.level - 1].relative_to(ROOT).parts
        return ".".join((*folder, *filter(None, [node.module])))


def _module(start: str, name: str) -> str:
    """``from start import name``: the module ``start.name`` where there is one, else a name that ``start`` holds."""
    path = ROOT.joinpath(*start.split("."), name)
    return f"{start}.{name}" if path.with_suffix(".py").exists() or path.is_dir() else start


def modules(*folders: str) -> Iterator[Module]:
    """Those of the top-level ``folders``, by default of all packages."""
    for folder in folders or PACKAGES:
        yield from (Module(path) for path in sorted((ROOT / folder).rglob("*.py")))


def package_folders() -> list[Path]:
    """Every folder of the packages that holds Python files."""
    return sorted({module.path.parent for module in modules()})
