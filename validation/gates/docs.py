"""Running suites in Great Expectations and building their Data Docs.

No state is stored between runs: the context is in memory, and each run has a new docs folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from validation.gates.gx import ProgressBarsConfig, gx

SITE = "data_docs"


class SuiteRunner:
    """Runs the suites of one gate. ``build`` then writes the Data Docs of their results."""

    def __init__(self, gate: str, folder: Path) -> None:
        """``folder``: for the Data Docs; it must exist."""
        self._gate = gate
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        for site in self._context.get_site_names():
            self._context.delete_data_docs_site(site)
        self._context.add_data_docs_site(site_name=SITE, site_config=_site(folder))
        self._source = self._context.data_sources.add_pandas(gate)

    def run(self, name: str, expectations: Sequence[Any], frame: pd.DataFrame) -> dict[str, bool]:
        """Run one expectation per column of ``frame``. Returns column -> whether its expectation holds."""
        title = f"{self._gate} {name}"
        suite = self._context.suites.add(gx.ExpectationSuite(name=title, expectations=list(expectations)))
        batch = self._source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("whole")
        definition = self._context.validation_definitions.add(
            gx.ValidationDefinition(name=title, data=batch, suite=suite)
        )
        found = definition.run(batch_parameters={"dataframe": frame}, result_format="SUMMARY")
        return {result.expectation_config.kwargs["column"]: bool(result.success) for result in found.results}

    def build(self) -> None:
        self._context.build_data_docs(site_names=[SITE])


def _site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
