"""The result of a retrieval. Its rows are computed on demand, as a table or as a stream of batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ibis
import pandas as pd
import pyarrow as pa
from feast import OnDemandFeatureView
from feast.infra.offline_stores.duckdb import _write_data_source
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.saved_dataset import SavedDatasetStorage

ROWS_PER_BATCH = 100_000


class StreamedJob(RetrievalJob):  # type: ignore[misc]
    """``rows`` computes the batches again at each call. It holds at most one chunk in memory."""

    def __init__(
        self,
        rows: Callable[[int], pa.RecordBatchReader],
        *,
        repo_path: Path | None,
        full_feature_names: bool = False,
        on_demand: list[OnDemandFeatureView] | None = None,
        metadata: Callable[[], RetrievalMetadata] | None = None,
    ) -> None:
        super().__init__()
        self._rows = rows
        self._repo_path = repo_path
        self._full_feature_names = full_feature_names
        self._on_demand = on_demand or []
        self._metadata = metadata

    def to_arrow_reader(self, rows_per_batch: int = ROWS_PER_BATCH) -> pa.RecordBatchReader:
        """The stored features, batch by batch, without on-demand views."""
        return self._rows(rows_per_batch)

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self.to_arrow_reader().read_all()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._to_arrow_internal().to_pandas()
        return frame

    @property
    def full_feature_names(self) -> bool:
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        return self._metadata() if self._metadata else None

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        table = ibis.memtable(self.to_arrow())
        _write_data_source(table, storage.to_data_source(), str(self._repo_path), "overwrite", allow_overwrite)
