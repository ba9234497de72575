"""``python -m training.gru4rec preprocess``: a log -> train, val and test sessions, and the vocabulary.

Support is counted in train only, after the split, so that later events do not decide which items are in train.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from infra.progress import step
from infra.settings import Settings
from training.gru4rec.config import DataConfig, Gru4RecConfig
from training.gru4rec.errors import BadConfig, SplitError
from training.gru4rec.sessions.processed import SPLIT_FILE, SPLIT_SCHEMA
from training.gru4rec.sessions.session_cuts import (
    Log,
    cut_at_gaps,
    in_time_order,
    long_sessions,
    supported,
    without_repeats,
)
from training.gru4rec.sessions.sources import Clicks, read_clicks
from training.gru4rec.sessions.split import Boundaries, split_by_time
from training.gru4rec.sessions.vocabulary import ItemNumbers, known_part, number_items

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Part:
    """The sessions of a split, and the clicks whose numbers of items and owners they use."""

    log: Log
    clicks: Clicks

    def session_ids(self) -> pa.StringArray:
        """(n,) the session id of the source, or the user id and the number of the user's session."""
        owners = self.clicks.owners.take(pa.array(self.log.owner))
        if self.clicks.are_sessions:
            return owners
        return pc.binary_join_element_wise(owners, pc.cast(pa.array(self.log.number), pa.string()), "-")


@dataclass(frozen=True)
class Prepared:
    """``parts``: train, val and test. ``statistics``: the body of split.json."""

    parts: dict[str, Part]
    numbers: ItemNumbers
    statistics: dict[str, Any]


def prepare(config: DataConfig, settings: Settings) -> Prepared:
    """The splits of the source, in memory. Raises SequenceError."""
    source = Path(config.source) if config.source else settings.log_dir
    with step(f"reading {source}"):
        clicks = read_clicks(source, config.actions, settings)
    with step("cutting and filtering sessions"):
        return _already_split(config, clicks, settings) if config.test else _split(config, clicks)


def _split(config: DataConfig, clicks: Clicks) -> Prepared:
    log = cut_at_gaps(clicks, round(config.session_gap_minutes * MINUTE_US))
    found = {"events": len(log), "sessions": log.sessions, "items": len(clicks.items), "users": len(clicks.owners)}
    if config.drop_repeats:
        log = without_repeats(log)
    boundaries = Boundaries.before(int(clicks.ts_us.max()), config.test_days, config.validation_days)
    train, val, test = split_by_time(in_time_order(log), boundaries)
    events = {"train": len(train), "val": len(val), "test": len(test)}
    train, rounds = supported(train, config.min_session, config.min_item, config.drop_repeats)
    parts = {name: Part(log, clicks) for name, log in (("train", train), ("val", val), ("test", test))}
    return _numbered(
        config,
        parts,
        events,
        {
            "source": found,
            "repeats_dropped": found["events"] - len(log),
            "filter_rounds": rounds,
            "val_from": _timestamp(boundaries.val_us),
            "test_from": _timestamp(boundaries.test_us),
        },
    )


def _already_split(config: DataConfig, train: Clicks, settings: Settings) -> Prepared:
    """The split of the files, with their order of sessions."""
    files = {"val": config.validation, "test": config.test}
    clicks = {"train": train}
    for name, file in files.items():
        none = train.where(np.zeros(len(train), np.bool_))
        clicks[name] = read_clicks(Path(file), config.actions, settings) if file else none
    parts, events = {}, {}
    for name, found in clicks.items():
        if not found.are_sessions:
            raise BadConfig("data.source, data.validation and data.test must be TSVs where data.test is given")
        log = cut_at_gaps(found.in_terms_of(train.items), 0)
        parts[name] = Part(without_repeats(log) if config.drop_repeats else log, found)
        events[name] = len(found)
    parts["train"] = Part(long_sessions(parts["train"].log, config.min_session), train)
    source = {
        "events": sum(events.values()),
        "sessions": sum(len(found.owners) for found in clicks.values() if len(found)),
    }
    return _numbered(config, parts, events, {"source": source})


def _numbered(
    config: DataConfig, parts: dict[str, Part], events: dict[str, int], statistics: dict[str, Any]
) -> Prepared:
    """Number the items of train, and drop all other items from val and test. ``events``: per split before filters."""
    train = parts["train"]
    if not len(train.log):
        raise SplitError(
            f"train is empty: no item occurs {config.min_item} times in sessions of {config.min_session} events; "
            "lower data.min_item or data.min_session"
        )
    numbers = number_items(train.log, train.clicks.items)
    finished, splits = {}, {}
    for name, part in parts.items():
        log = part.log if name == "train" else known_part(part.log, numbers, config.min_session, config.drop_repeats)
        finished[name] = Part(log, part.clicks)
        splits[name] = _statistics(events[name], log)
    if not len(finished["test"].log):
        raise SplitError("test is empty: none of its items are in train")
    return Prepared(finished, numbers, {**statistics, "splits": splits, "settings": asdict(config)})


def _statistics(before: int, log: Log) -> dict[str, Any]:
    return {
        "sessions": log.sessions,
        "events": len(log),
        "items": len(np.unique(log.item)),
        "events_dropped": before - len(log),
        "from": _timestamp(int(log.ts_us.min())) if len(log) else None,
        "to": _timestamp(int(log.ts_us.max())) if len(log) else None,
    }


def _timestamp(us: int) -> str:
    return (EPOCH + timedelta(microseconds=us)).isoformat()


# ------------------------------------------------------------------------------------- the command


def run(config: Gru4RecConfig, settings: Settings) -> None:
    """Write data/processed, atomically, and print the statistics. Raises SequenceError."""
    prepared = prepare(config.data, settings)
    final = config.folders(settings).processed
    part = final.with_name(f".{final.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with step(f"writing {final}"):
            _write(prepared, part)
            shutil.rmtree(final, ignore_errors=True)
            part.rename(final)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    print(statistics_table(prepared.statistics))


def _write(prepared: Prepared, folder: Path) -> None:
    numbers = prepared.numbers
    for name, part in prepared.parts.items():
        log = part.log
        columns = [
            part.session_ids(),
            numbers.ids.take(pa.array(log.item)),
            pa.array(numbers.index[log.item]),
            pa.array(log.ts_us).cast(SPLIT_SCHEMA.field("ts").type),
        ]
        pq.write_table(pa.Table.from_arrays(columns, schema=SPLIT_SCHEMA), folder / f"{name}.parquet")
    numbers.vocabulary().save(folder)
    (folder / SPLIT_FILE).write_text(json.dumps(prepared.statistics, indent=2) + "\n")


def statistics_table(statistics: dict[str, Any]) -> str:
    """Markdown. ``dropped`` counts the events that filters, unseen items and short sessions removed from a split."""
    lines = [
        "| split | sessions | events | items | dropped | from | to |",
        "| --- | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    for name, found in statistics["splits"].items():
        counts = " | ".join(f"{found[key]:,}" for key in ("sessions", "events", "items", "events_dropped"))
        lines.append(f"| {name} | {counts} | {found['from'] or '-'} | {found['to'] or '-'} |")
    source = ", ".join(f"{value:,} {key}" for key, value in statistics["source"].items())
    return "\n".join([f"source: {source}", *lines])
