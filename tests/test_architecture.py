"""Who may import whom (see the README's tree)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "infra": set(),
    "feature_repo": {"infra"},
    "validation": {"infra", "feature_repo"},
    "training": {"infra", "feature_repo"},
    "serving": {"infra", "feature_repo"},
    "benchmarks": {"infra", "feature_repo", "validation", "training", "serving"},
}


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found & MAY_IMPORT.keys()


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_a_package_imports_only_what_stands_before_it(package):
    modules = list((ROOT / package).rglob("*.py"))
    assert modules
    for path in modules:
        assert imported_packages(path) <= MAY_IMPORT[package] | {package}, path


def test_the_environment_is_read_in_one_place_only():
    readers = {
        str(path.relative_to(ROOT))
        for package in MAY_IMPORT
        for path in (ROOT / package).rglob("*.py")
        if "os.environ" in path.read_text() or "os.getenv" in path.read_text()
    }
    # Great Expectations and prometheus-client are configured by nothing else.
    assert readers <= {"validation/__init__.py", "validation/gx.py", "serving/metrics.py"}


def test_now_is_asked_of_the_clock_only():
    askers = {
        str(path.relative_to(ROOT))
        for package in MAY_IMPORT
        for path in (ROOT / package).rglob("*.py")
        if "datetime.now(" in path.read_text() or "utcnow(" in path.read_text()
    }
    assert askers == {"infra/clock.py"}
