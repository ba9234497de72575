import nbclient
import nbformat
import pytest

from infra.settings import PROJECT_ROOT
from tests.shop import Shop


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(journey: Shop, monkeypatch):
    for name, value in journey.environment.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(PROJECT_ROOT / "notebooks" / "explore.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert any("slates" in str(cell.get("outputs")) for cell in notebook.cells)
