"""The data set that the definitions are for: where its built features lie, and which columns it adds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from feast import Field, FileSource

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.definitions.fields import field_of
from feature_repo.definitions.repo_paths import path_for_registry
from feature_repo.schema import Declaration, own_item_columns
from infra.settings import Settings

OWNER = "ranking"
WRITTEN_BY_BUILD = "written_by_build"  # tag of a source: what from
MINUTES_TO_PUBLISH = 30  # from the end of the data of a built row until it is stored


@dataclass(frozen=True)
class DataSet:
    """``features_dir``: of its built feature tables."""

    declaration: Declaration
    features_dir: Path

    @classmethod
    def of(cls, settings: Settings, declaration: Declaration | None = None) -> DataSet:
        """Raises DatasetError for a log without a declaration."""
        return cls(declaration or declaration_of(settings), settings.features_dir)

    @property
    def item_fields(self) -> list[Field]:
        """What the data set adds to the attributes of an item; its stock too."""
        return [field_of(column) for column in own_item_columns(self.declaration)]

    def built(self, view: str) -> FileSource:
        """The parquet file that ``python -m feature_repo.build`` writes for a view."""
        return FileSource(
            name=f"{view}_parquet",
            path=path_for_registry(self.features_dir / f"{view}.parquet"),
            timestamp_field="event_timestamp",
            created_timestamp_column="created_timestamp",
            description=f"Built by feature_repo.build for {view}.",
            tags={WRITTEN_BY_BUILD: "from the log"},
            owner=OWNER,
        )

    def own(self, view: str, path: str, *, timestamp_field: str, created_timestamp_column: str = "") -> FileSource:
        """A table of your own, which ``python -m feature_repo.build`` copies, typed as the view's fields say.

        ``path``: a file, a folder of files or a glob of parquet, CSV or JSON lines; relative to the project. It has the
        join key, ``timestamp_field`` (the time from which a row was known; without a zone it is UTC), the fields of the
        view, and perhaps ``created_timestamp_column``: of rows with one key and time the newest counts.
        """
        source = self.built(view)
        source.tags = {
            WRITTEN_BY_BUILD: path,
            "timestamp_field": timestamp_field,
            "created_timestamp_column": created_timestamp_column,
        }
        source.description = f"Copied by feature_repo.build from {path}."
        return source


_given: ContextVar[DataSet | None] = ContextVar("data_set", default=None)


def data_set() -> DataSet:
    """The one in use: of the settings, or of :func:`using`. Raises DatasetError for a log without a declaration."""
    given = _given.get()
    if given is not None:
        return given
    return DataSet.of(Settings())


@contextmanager
def using(given: DataSet) -> Iterator[None]:
    token = _given.set(given)
    try:
        yield
    finally:
        _given.reset(token)
