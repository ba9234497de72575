"""The mapping: which files hold which table of the canonical log, and how each of its columns is made from theirs.

It is the section ``log`` of params/NAME.yaml. :mod:`feature_repo.init` guesses it and the user may edit it::

    log:
      adapter: files
      input: /data/my_shop
      files:
        - table: events
          path: events_*.csv.gz                     # below input; * matches several files of one kind
          columns:
            user_id: {from: customer}
            event_ts: {from: ts, unit: s}
            action: {from: event, map: {purchase: order, view: view}}
        - table: items
          path: products.csv
          columns: {item_id: {from: sku}, price: {from: price, scale: 0.001}}
      sessions: {gap_minutes: 30}
      slates: {targets: [order]}

Columns that are not named are made where they can be (:mod:`feature_repo.datasets.files.completion`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from feature_repo.datasets.errors import DatasetError

NOT_OF_THE_MAPPING = ("adapter", "input", "arguments")


def _several(value: object) -> object:
    """One text stands for a list of one; YAML reads an unquoted 1 as a number."""
    listed = value if isinstance(value, list | tuple) else [value]
    return tuple(_text(each) for each in listed)


def _text(value: object) -> object:
    """YAML reads unquoted texts as numbers, dates and booleans. Of a boolean its text is not known any more."""
    if isinstance(value, bool):
        raise ValueError(f"{value} needs quotes: YAML reads yes, no, on, off, true and false without them as booleans")
    return str(value) if isinstance(value, int | float | date) else value


def _text_keys(value: object) -> object:
    return {_text(key): each for key, each in value.items()} if isinstance(value, dict) else value


def _constant(value: object) -> object:
    return str(value) if isinstance(value, date) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_several)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class RelativeTime(_Section):
    """Times of a source that only says how long after a user's last order the next one came.

    Every user's last order is put into the same four weeks. ``days`` is null for the first order, ``order`` numbers the
    orders of a ``per``.
    """

    per: str
    order: str
    days: str
    hour: str | None = None


class Values(_Section):
    """How one column of the log is made. All names are columns of the file, or of a joined one.

    source:   the column; several are joined by "|", for a key of several parts. YAML: ``from``
    value:    the same value for every row, instead of ``source``
    unit:     of a time that is a number since 1970
    format:   of a time that is text, as strptime has it; without it ISO 8601
    zone:     IANA zone of a time that has none; without it UTC
    relative: a time that is only known relative to others of the user
    map:      text -> value; rows with a text that is not named are dropped, and counted
    at_least: threshold -> value, for a number: the value of the highest threshold that it reaches
    equals:   1 where the row's item_id equals this column, else 0: a label
    split:    separator of several values in one cell; each becomes a row of its own, all split columns in step. A list
              of JSON or parquet is always taken apart so
    index_of: a split column: the position of the value in its cell, from 0, instead of ``source``
    cut:      separator of several parts in one value, of which ``part`` is taken, from 0; -1 is the last
    scale:    the number is multiplied by it
    minus:    is taken off the number: 1 for positions from 1
    round:    to a whole number, at least 1: weights as quantities
    """

    source: Annotated[Texts, Field(alias="from")] = ()
    value: Annotated[str | float | None, BeforeValidator(_constant)] = None
    unit: Literal["s", "ms", "us", "ns"] | None = None
    format: str | None = None
    zone: str | None = None
    relative: RelativeTime | None = None
    map: Annotated[Mapping[str, str | int], BeforeValidator(_text_keys)] | None = None
    at_least: Mapping[float, str | float] | None = None
    equals: str | None = None
    split: str | None = None
    index_of: str | None = None
    cut: str | None = None
    part: int = 0
    scale: float = 1.0
    minus: float = 0.0
    round: bool = False


class Join(_Section):
    """A further file whose columns are added to the rows; its ``key`` is unique there, and in the rows, too."""

    path: str
    key: Texts


class FileFormat(_Section):
    """How text files are written. None: DuckDB finds out. Parquet and JSON lines need none of it."""

    delimiter: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    decimal: str = "."


class FileMapping(_Section):
    """Files of one kind, and the table that they fill. The same file may fill several tables.

    where: column -> the values that are kept; all rows are without it
    """

    table: Literal["items", "events", "impressions"]
    path: str
    columns: Mapping[str, Values]
    where: Mapping[str, Texts] = Field(default_factory=dict)
    join: tuple[Join, ...] = ()
    format: FileFormat = FileFormat()


class Sessions(_Section):
    """A session ends where a user does nothing for so long. Only for rows that have no session_id."""

    gap_minutes: float = Field(30.0, gt=0)


class Slates(_Section):
    """Slates made from events, where there are no impressions: next ``targets`` against candidates known before.

    targets:      actions that are predicted
    label_hours:  how long after a slate they count
    warm_up_days: first days without slates, which are history
    per_day:      slates of a day at most, in seeded order
    repeats:      ``drop`` leaves out items on which the user had acted before, as for films that nobody rates twice;
                  None: dropped where hardly any target is such a repeat
    """

    targets: Texts = ("order",)
    label_hours: int = Field(24, ge=1)
    warm_up_days: int = Field(14, ge=0)
    per_day: int = Field(240, ge=1)
    repeats: Literal["keep", "drop"] | None = None


class SourceMapping(_Section):
    """The whole mapping.

    ignore:    files below input that are no part of the log
    anonymous: rows without a user_id: their session stands for the user, or they are dropped
    times:     ``made``: the source has none; slates get a seeded random order, so that the split is random by slate
    returns:   orders with a negative quantity; dropped, because what was ordered stays known at the time of the order
    catalog:   items whose first row is dated after their first use, as in a catalog dated at its export: ``dated``
               takes the date, nothing is known of them until then; ``from_start`` dates the first row before the log
    slates:    None: the source has impressions
    """

    files: tuple[FileMapping, ...]
    ignore: Texts = ()
    sessions: Sessions = Sessions()
    anonymous: Literal["session", "drop"] = "session"
    times: Literal["given", "made"] = "given"
    returns: Literal["drop"] = "drop"
    catalog: Literal["dated", "from_start"] = "dated"
    slates: Slates | None = None


def mapping_from(section: Mapping[str, Any]) -> SourceMapping:
    """The mapping in the section ``log`` of the parameters. Raises DatasetError with the place of each fault."""
    try:
        return SourceMapping.model_validate({k: v for k, v in section.items() if k not in NOT_OF_THE_MAPPING})
    except ValidationError as error:
        faults = "\n".join(f"  {_place(each['loc'])}: {each['msg']}" for each in error.errors())
        raise DatasetError(f"the mapping is wrong:\n{faults}") from error


def _place(location: tuple[int | str, ...]) -> str:
    return "log" + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in location)
