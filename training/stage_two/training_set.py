"""Writes the training set of stage two: the candidates of rolling windows with their features and labels.

The file has the form of the ranker's training set (:mod:`training.training_set.build`) with the sources' columns behind
the ranker's. The sources of a window are fitted on what was received before it, the features are those of the list's
timestamp, and the label is 1 for an item that the user ordered in the rest of the window. A wanted item that no source
lists is not added: it counts in ``relevant_total``, so that recall is that of the whole catalog. In the split train a
seeded share of the negatives is kept (``lists.negatives``), because most of them teach the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.candidates.stage_two_features import recommend_contract
from feature_repo.candidates.union import Sources
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.definitions.view import FEATURE_SERVICE, Feature
from feature_repo.derived.categories import Numbering
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.schema import Declaration
from feature_repo.store import open_store
from infra.settings import Settings
from training.candidates.fit import fit_sources
from training.candidates.known_log import KnownLog, open_known_log
from training.stage_two.asked_lists import AskedLists, asked_lists
from training.stage_two.candidate_lists import CandidateLists, candidate_lists
from training.stage_two.windows import BadWindows, Window, rolling_windows, test_start
from training.training_set.build import RECIPE_FILE, TRAINING_SET_FILE, column_of, training_schema
from training.training_set.content_hash import ContentHash
from training.training_set.recipe import Recipe, feature_service_hash

SPLITS = ("train", "validation", "test")
KEYS = 9  # columns before the features


@dataclass(frozen=True)
class Written:
    """``path``: the training set; ``sources``: fitted at its end, to be registered with the model."""

    path: Path
    recipe: Recipe
    sources: Sources


def write_training_set(
    settings: Settings, params: Mapping[str, Any], until: datetime, folder: Path, *, test: bool = True
) -> Written:
    """``params``: the section ``recommend``. ``until``: nothing received at or after it is
    used. Raises DatasetError, OfflineError, RedisServerError, BadSources or BadWindows.

    ``test``: False leaves out the test windows. Then nothing received at or after the first of them is used.
    """
    end, until = until, until if test else test_start(until, params["windows"])
    declaration = declaration_of(settings)
    context = tuple(column.name for column in declaration.context)
    reader = PointInTimeReader(open_store(settings, known_at=until), declaration)
    sources = fit_sources(settings, params, until)
    schema = stage_two_schema(declaration, sources.features)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / TRAINING_SET_FILE
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    content, entity_rows = ContentHash(schema), ContentHash(pa.schema(list(schema)[:KEYS]))
    lists = 0
    try:
        with (
            open_known_log(settings, until, context) as log,
            pq.ParquetWriter(partial, schema, compression="zstd") as out,
        ):
            windows = rolling_windows(end, params["windows"], _log_start(log))
            windows = [window for window in windows if test or window.split != "test"]
            fitted: tuple[datetime, Sources] | None = None
            random = np.random.default_rng(int(params["train"]["seed"]))
            for window in windows:
                if fitted is None or fitted[0] != window.fitted_at:
                    fitted = (window.fitted_at, fit_sources(settings, params, window.fitted_at))
                asked = _asked(log, window, params, context)
                positives = 0
                numbering = Numbering()
                for part in candidate_lists(reader, fitted[1], asked.asked, numbering):
                    table = _table(
                        part, asked.wanted, window.split, schema, random, float(params["lists"]["negatives"]), numbering
                    )
                    content.update(table)
                    entity_rows.update(table.select(range(KEYS)))
                    out.write_table(table)
                    positives += int(np.count_nonzero(table["label"]))
                lists += len(asked.asked)
                print(
                    f"  {window.start:%Y-%m-%d}, {window.split}: {len(asked.asked)} lists, {positives} positives",
                    file=sys.stderr,
                )
        if not lists:
            raise BadWindows(f"nothing was ordered from {windows[0].start:%Y-%m-%d} on")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    first = {split: next(w.start for w in windows if w.split == split) for split in SPLITS[1 : 3 if test else 2]}
    recipe = Recipe(
        dataset=settings.dataset,
        feature_service=FEATURE_SERVICE,
        feature_service_hash=feature_service_hash(recommend_contract(settings.dataset, declaration, sources)),
        entity_rows_hash=entity_rows.hexdigest(),
        known_at=until.isoformat(),
        split={f"{split}_start": start.isoformat() for split, start in first.items()},
        slates=lists,
        rows=content.rows,
        content_hash=content.hexdigest(),
    )
    recipe.write(folder / RECIPE_FILE)
    return Written(path, recipe, sources)


def stage_two_schema(declaration: Declaration, sources: tuple[Feature, ...]) -> pa.Schema:
    """The columns of the ranker's training set, then those of the sources."""
    return pa.schema([*training_schema(declaration), *(pa.field(f.name, pa.float32()) for f in sources)])


def _asked(log: KnownLog, window: Window, params: Mapping[str, Any], context: tuple[str, ...]) -> AskedLists:
    sizes = params["lists"]
    return asked_lists(
        log,
        window,
        users=int(sizes["users"]),
        sessions=int(sizes["sessions"]),
        seed=int(params["train"]["seed"]),
        context=context,
    )


def _table(
    part: CandidateLists,
    wanted: pa.Table,
    split: str,
    schema: pa.Schema,
    random: np.random.Generator,
    negatives: float,
    numbering: Numbering,
) -> pa.Table:
    """The rows of a part; in train only of lists that hold a wanted item, because others teach a ranker nothing."""
    rows = part.lists.rows
    slate_id = part.asked["slate_id"].to_numpy(object)
    of_list = dict(zip(slate_id.tolist(), range(len(slate_id)), strict=True))
    pairs = [
        (of_list[slate], item)
        for slate, item in zip(wanted["slate_id"].to_pylist(), wanted["item_id"].to_pylist(), strict=True)
        if slate in of_list
    ]
    wanted_pairs = set(pairs)
    total = np.bincount([row for row, _ in pairs], minlength=len(slate_id))
    label = np.fromiter(
        ((row, item) in wanted_pairs for row, item in zip(rows.tolist(), part.item_id, strict=True)),
        np.int32,
        len(rows),
    )
    kept = np.ones(len(rows), bool)
    if split == "train":
        kept = np.isin(rows, np.unique(rows[label > 0])) & ((label > 0) | (random.random(len(rows)) < negatives))
    keys: dict[str, npt.NDArray[Any]] = {
        **{name: part.asked[name].to_numpy(object)[rows] for name in ("slate_id", "user_id", "session_id")},
        "item_id": np.array(part.item_id, object),
        "event_timestamp": _epoch_us(part)[rows],
        "position": part.lists.positions,
        "label": label,
        "relevant_total": total[rows],
        "split": np.full(len(rows), split, object),
    }
    # A source that had nothing to be fitted on yet has no columns in the part.
    columns = {**keys, **dict.fromkeys(schema.names[KEYS:], np.full(len(rows), np.nan, np.float32))}
    columns |= {name: part.matrix[:, j] for j, name in enumerate(part.names)}
    return pa.table([column_of(field, columns[field.name][kept], numbering) for field in schema], schema=schema)


def _epoch_us(part: CandidateLists) -> npt.NDArray[np.int64]:
    found = part.asked["shown_ts"].dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]").astype("int64")
    return np.asarray(found.to_numpy(), np.int64)


def _log_start(log: KnownLog) -> datetime:
    """The first event. Raises BadWindows where there is none."""
    first = log.connection.execute("SELECT make_timestamptz(min(at_us)) FROM known_events").fetchall()[0][0]
    if first is None:
        raise BadWindows("the log holds no event on an item")
    start: datetime = first
    return start
