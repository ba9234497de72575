"""Submissions in a SQL database, by SQLAlchemy URL: ``postgresql://user@host/db``, ``sqlite:///file.db``.

The table ``recommendations`` is created where it is missing. A run is replaced as a whole in one transaction, so that
writing it twice never doubles it, and a reader sees the old rows or the new ones. Passwords are not printed: they may
stand in the URL, or where the driver looks for them (PGPASSWORD, ~/.pgpass).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from sqlalchemy import Column, DateTime, Engine, Float, Integer, MetaData, String, Table, create_engine, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from infra.limits import MAX_TEXT_LENGTH
from training.recommend.errors import BadTarget
from training.recommend.submission import Submission

ROWS_AT_ONCE = 10_000
SECRETS = ("pass", "pwd", "secret", "token")
METADATA = MetaData()
RECOMMENDATIONS = Table(
    "recommendations",
    METADATA,
    Column("run_id", String(MAX_TEXT_LENGTH), primary_key=True),
    Column("user_id", String(MAX_TEXT_LENGTH), primary_key=True),
    Column("rank", Integer, primary_key=True, comment="from 1"),
    Column("item_id", String(MAX_TEXT_LENGTH), nullable=False),
    Column("score", Float(53), comment="of the ranker; null for an item that fills up the list"),
    Column("window_start", DateTime(timezone=True), nullable=False),
    Column("window_end", DateTime(timezone=True), nullable=False, comment="exclusive"),
)


@dataclass(frozen=True)
class Run:
    """``run_id``: the same for a repeated run, which then replaces the earlier one."""

    run_id: str
    start: datetime
    end: datetime


def is_database(target: str) -> bool:
    return "://" in target


def without_password(target: str) -> str:
    """The URL for people to read, without secrets in its query either. Raises BadTarget for what is none."""
    url = _url(target)
    hidden = {name: "hidden" for name in url.query if _is_secret(name)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def ready_database(target: str, run: Run) -> None:
    """Make the table. Raises BadTarget if the run cannot be written there."""
    if len(run.run_id) > MAX_TEXT_LENGTH:
        raise BadTarget(f"--run-id has {len(run.run_id)} characters: at most {MAX_TEXT_LENGTH} fit into the table")
    with _opened(target) as engine:
        METADATA.create_all(engine)


def write_recommendations(submission: Submission, target: str, run: Run) -> None:
    """Replace the rows of the run. Raises BadTarget."""
    with _opened(target) as engine:
        _replace(engine, submission, run)


@contextmanager
def _opened(target: str) -> Iterator[Engine]:
    """Raises BadTarget, also for what fails inside."""
    url = _url(target)
    try:
        engine = create_engine(url, hide_parameters=True)
        try:
            yield engine
        finally:
            engine.dispose()
    except ImportError as error:  # the driver
        raise BadTarget(f"{without_password(target)} needs a driver that is not installed: {error}") from error
    except SQLAlchemyError as error:
        raise BadTarget(f"{without_password(target)}: {_message(error, url)}") from error


def _replace(engine: Engine, submission: Submission, run: Run) -> None:
    METADATA.create_all(engine)
    fixed = {"run_id": run.run_id, "window_start": run.start.astimezone(UTC), "window_end": run.end.astimezone(UTC)}
    rows = ({**fixed, **row} for row in submission.rows())
    with engine.begin() as connection:
        connection.execute(RECOMMENDATIONS.delete().where(RECOMMENDATIONS.c.run_id == run.run_id))
        while batch := list(islice(rows, ROWS_AT_ONCE)):
            connection.execute(RECOMMENDATIONS.insert(), batch)


def _url(target: str) -> URL:
    try:
        return make_url(target)
    except SQLAlchemyError as error:  # its message may quote the URL
        raise BadTarget("--out is not a database URL like postgresql://user@host/db or sqlite:///file.db") from error


def _message(error: SQLAlchemyError, url: URL) -> str:
    text = str(getattr(error, "orig", None) or error).splitlines()[0]
    secrets = [url.password, *(value for name, value in url.query.items() if _is_secret(name))]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            text = text.replace(secret, "***")
    return text


def _is_secret(name: str) -> bool:
    """Whether a parameter of the query is one, say libpq's ``password`` or PyMySQL's ``passwd``."""
    return any(word in name.lower() for word in SECRETS)
