"""What README and docs/ name exists: commands with their arguments, settings, metrics, files, modules and links.

``tests/docs/test_run.py`` runs the commands.
"""

import importlib.util
import re
import subprocess

import pytest

from infra.settings import PROJECT_ROOT, Settings
from tests.docs.command_checks import CommandProblem, check_text, is_command
from tests.docs.pages import DOCS, README, Page, commands, navigation, pages

PACKAGES = ("infra", "feature_repo", "validation", "training", "serving", "benchmarks")
NOT_RUN = {
    ("docs/recommendations.md", "fits every model three times, 40 minutes"),
    ("README.md", "it would run this test again"),
    ("README.md", "docs/first-hour.md runs the same with files"),
    ("docs/quickstart.md", "needs a container engine"),
    ("docs/training-and-promotion.md", "needs days of served slates with feedback"),
    ("docs/training-and-promotion.md", "an hour, and 20 GB of memory"),
    ("docs/your-own-features.md", "a test runs it with the files above"),
    ("docs/sequences.md", "downloads packages"),
    ("docs/performance.md", "downloads packages"),
    ("docs/tuning.md", "takes minutes to hours"),
    ("docs/marketplace.md", "is for a browser"),
    ("docs/experiments.md", "shows runs that take hours"),
    ("docs/experiments.md", "fits a model per part"),
    ("docs/feature-review.md", "fits a model per family"),
}
MADE = {"effective.yaml", "params/my_shop.yaml"}  # by a command
MAX_README_LINES = 150
EACH_PAGE = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
BLOCKS = [block for page in pages() for block in page.blocks()]


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    files = set(listed.stdout.split())
    return files | {"/".join(parts[:n]) for parts in (name.split("/") for name in files) for n in range(1, len(parts))}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_command_exists_and_takes_its_arguments(block, request):
    assert commands(block.text)
    check_text(block.text, request.config)


@EACH_PAGE
def test_every_command_in_backticks_exists_and_takes_its_arguments(page, request):
    for span in page.spans():
        if span.split()[0] in ("make", "python", "pytest", "feast", "dvc") or span.startswith(".venv/bin/"):
            check_text(span, request.config)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("make walk", "make walk"),
        ("make run NOTHING=1", "NOTHING"),
        ("python -m training.nothing", "training.nothing"),
        ("python -m validation nothing", "nothing"),
        ("python -m validation.skew.replay x --until x", "--until"),
        ("python -m training.evaluation.metrics_table --json x", "no arguments"),
        ("python -m training.gru4rec train train.nothing=1", "train.nothing"),
        ("RERANK_NOTHING=1 make run", "RERANK_NOTHING"),
        ("pytest tests/test_live_kills.py --nothing 5", "--nothing"),
        ("pytest tests/test_live_kills.py -k nothing", "nothing"),
        ("feast -c feature_repo nothing", "nothing"),
        ("dvc repro nothing", "nothing"),
        ("wget somewhere", "wget"),
        ("make run | make walk", "make walk"),
        ("X=$(make walk)", "make walk"),
    ],
)
def test_a_command_that_does_not_exist_is_found(text, named, request):
    with pytest.raises(CommandProblem, match=named):
        check_text(text, request.config)


def test_few_blocks_are_not_run():
    assert {(block.page, block.not_run) for block in BLOCKS if block.not_run} == NOT_RUN


@EACH_PAGE
def test_every_shell_block_is_marked_sh(page):
    assert set(page.fences()) <= {"sh", "json", "python", "text", "mermaid"}


@EACH_PAGE
def test_every_setting_exists(page):
    known = {f"RERANK_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"RERANK_[A-Z_]+", page.text)) <= known


@EACH_PAGE
def test_every_flag_in_backticks_is_one_of_a_command(page):
    files = [path for name in PACKAGES for path in (PROJECT_ROOT / name).rglob("*.py")]
    known = {flag for path in files for flag in re.findall(r'"(--[a-z-]+)"', path.read_text())}
    assert {span.split()[0] for span in page.spans() if span.startswith("--")} <= known


def test_the_settings_page_lists_every_setting():
    named = set(re.findall(r"RERANK_([A-Z_]+)", (DOCS / "settings.md").read_text()))
    assert named == {name.upper() for name in Settings.model_fields}


@EACH_PAGE
def test_every_metric_exists(page):
    sources = "".join(path.read_text() for path in (PROJECT_ROOT / "serving").rglob("*.py"))
    for name in set(re.findall(r"`(rerank_[a-z_]+)", page.prose)):
        assert f'"{name}"' in sources, name


@EACH_PAGE
def test_every_path_in_backticks_exists(page, tracked):
    folders = {name.rsplit("/", 1)[-1] for name in tracked if "." not in name}
    names = {name.rsplit("/", 1)[-1] for name in tracked}
    for span in page.spans():
        if not re.fullmatch(r"[\w./-]+", span) or span.startswith("/") or "NAME" in span or span in MADE:
            continue
        top = span.split("/")[0]
        if "/" in span and top in tracked:
            assert span.rstrip("/") in tracked, span
        elif re.fullmatch(r"\w+/", span) and span not in ("data/", "var/"):
            assert span.rstrip("/") in folders, span
        elif re.fullmatch(r"[\w.-]+\.(py|ya?ml|toml|sh)", span):
            assert span in names, span


@EACH_PAGE
def test_every_module_in_backticks_exists(page):
    for span in page.spans():
        if re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w+)+", span):
            assert importlib.util.find_spec(span), span


def test_the_folders_of_the_readme_exist():
    (tree,) = re.findall(r"## Folders\n\n```text\n(.*?)```", README.read_text(), re.DOTALL)
    names = [name.strip(",") for line in tree.splitlines() for name in line.split("  ")[0].split()]
    assert len(names) >= 8
    for name in names:
        assert (PROJECT_ROOT / name).exists(), name


@EACH_PAGE
def test_every_link_leads_somewhere(page):
    for link in page.links():
        if re.match(r"https?://", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        assert path.is_file(), link
        assert not anchor or anchor in Page(path).anchors(), link


def test_every_page_is_in_the_navigation_and_says_for_whom_it_is():
    assert sorted(navigation()) == sorted(path.name for path in DOCS.glob("*.md"))
    for page in pages()[1:]:
        title, first = page.prose.split("\n\n")[:2]
        assert title.startswith("# "), page.name
        assert first.startswith("This page is for "), page.name


def test_the_readme_is_one_page():
    assert len(README.read_text().splitlines()) <= MAX_README_LINES


def test_the_changelog_names_commands_that_moved():
    moves = re.findall(r"\| `python -m (\S+)` \| `python -m (\S+)` \|", (PROJECT_ROOT / "CHANGELOG.md").read_text())
    assert moves
    for before, now in moves:
        assert not is_command(before), before
        assert is_command(now), now
