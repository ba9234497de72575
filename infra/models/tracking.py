"""The MLflow client. Without a tracking server, runs are in a SQLite database and artifacts in a folder beside it.

MLflow stores where artifacts are as absolute URIs and has no call that changes them. So when the state folder was moved
or copied, they name the old folder: reading fails, or reads the original's files, and writing writes there. Opening the
client therefore first lets the database name the folder that it is in.
"""

from __future__ import annotations

import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import mlflow

from infra.settings import Settings

# Table and column of every artifact URI.
ARTIFACT_URIS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
LOCK_TIMEOUT_S = 30.0


def open_client(settings: Settings) -> mlflow.MlflowClient:
    """Raises sqlite3.Error where a moved database cannot be written."""
    warnings.filterwarnings("ignore", ".*noload.*", DeprecationWarning)  # SQLAlchemy's, caused by MLflow
    if settings.mlflow_tracking_uri is None:
        _folder(settings).mkdir(parents=True, exist_ok=True)
        _name_this_folder(_folder(settings))
    return mlflow.MlflowClient(tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri)


def artifact_location(settings: Settings, experiment: str) -> str | None:
    """For a new experiment; None leaves it to the tracking server."""
    if settings.mlflow_tracking_uri is not None:
        return None
    return f"{_artifacts(_folder(settings))}/{quote(experiment)}"


def _folder(settings: Settings) -> Path:
    return settings.state_dir / "mlflow"


def _artifacts(folder: Path) -> str:
    return (folder / "artifacts").resolve().as_uri()


def _name_this_folder(folder: Path) -> None:
    """Change the URIs that begin with another folder's. An experiment that the user placed elsewhere stays there."""
    database = folder / "mlflow.db"
    if not database.exists():
        return
    with closing(sqlite3.connect(database, timeout=LOCK_TIMEOUT_S)) as connection, connection:
        for old in _former_folders(connection, folder):
            for table, column in ARTIFACT_URIS:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (_artifacts(folder), len(old) + 1, len(old) + 1, f"{old}/"),
                )


def _former_folders(connection: sqlite3.Connection, folder: Path) -> set[str]:
    """The URIs of artifact folders that are not this one; those of our experiments end with the experiment's name."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
        return set()  # another process is creating the database
    found = connection.execute("SELECT name, artifact_location FROM experiments").fetchall()
    endings = [(location, f"/mlflow/artifacts/{quote(name)}") for name, location in found]
    roots = {location.removesuffix(end) + "/mlflow/artifacts" for location, end in endings if location.endswith(end)}
    return {root for root in roots if not _is_same(root, folder / "artifacts")}


def _is_same(uri: str, folder: Path) -> bool:
    """Whether both are one folder, perhaps under two names."""
    path = Path(unquote(urlsplit(uri).path))
    return uri == folder.resolve().as_uri() or (path.exists() and folder.exists() and path.samefile(folder))
