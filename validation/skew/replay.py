"""``python -m validation.skew.replay REQUEST_ID``: show one logged slate, online and offline side by side.

For each item it prints the score, and for each feature the source, the age of the row that was read online, the online
value, the offline value and the contribution to the score. If the matrix was not logged, it is rebuilt from the rows
that were read online. Then the model's scores prove whether it is the matrix that was scored.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import redis
from mlflow.exceptions import MlflowException

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.definitions.view import Feature
from feature_repo.live.score_records import ScoreRecord, read_records, score_files, score_folder
from feature_repo.offline.errors import OfflineError
from feature_repo.slate import Floats
from infra.command import command_settings
from infra.models.arrays import Doubles
from infra.models.model_contract import CATEGORY
from infra.models.model_store import LoadedModel, ModelStore, ModelStoreError
from infra.models.ranker import NotAdditive
from infra.models.vocabulary import Vocabulary
from infra.redis_server.server import RedisServerError
from infra.settings import Settings
from validation.skew.causes.case import Case
from validation.skew.causes.knowledge import read_knowledge
from validation.skew.causes.row_history import RowHistory
from validation.skew.causes.value_causes import Overridden
from validation.skew.comparison import EQUAL, NAMES, Comparison, compare
from validation.skew.errors import BrokenRecords, NoRecords, UnusableInput
from validation.skew.offline import OfflineSlates, offline_settings
from validation.skew.recomputed import Recomputation

UNUSABLE = (UnusableInput, DatasetError, OfflineError, RedisServerError, ModelStoreError, MlflowException,
            redis.RedisError, duckdb.Error, OSError)  # fmt: skip


@dataclass(frozen=True)
class Replayed:
    """One request. ``contributions``: (n, f + 1), None for a baseline. ``rebuilt``: the online matrix was not logged.
    ``same_scores``: whether the model's scores of the online matrix are the logged ones, bit for bit."""

    comparison: Comparison
    features: Sequence[Feature]
    vocabulary: Vocabulary
    contributions: Doubles | None
    rebuilt: bool
    same_scores: bool

    @property
    def online(self) -> Floats:
        assert self.comparison.record.matrix is not None  # it is logged or rebuilt
        return self.comparison.record.matrix


def replay(settings: Settings, request_id: str) -> Replayed:
    """Raises the errors in ``UNUSABLE``."""
    record = find_record(settings, request_id)
    declaration = declaration_of(settings)
    how = Recomputation(settings, declaration).of(record)
    if how is None:
        raise BrokenRecords(
            f"request {request_id} was scored with another contract than this code has, or its model cannot be loaded"
        )
    model = _model(settings, record)
    with offline_settings(settings) as private:
        (slate,) = OfflineSlates(private, declaration).read([record])
        (evidence,) = RowHistory(private, declaration).of([record], [slate])
    matrix = how.matrix(slate)
    case = Case(record, slate, matrix, declaration, evidence, read_knowledge(settings), how.features, how.matrix)
    if record.matrix is None:
        as_read = replace(case, offline=case.matrix(case.as_read))
        case = replace(case, record=replace(record, matrix=next(Overridden().matrices(as_read))))
    return Replayed(
        compare(case),
        how.features,
        model.ranker.vocabulary,
        _contributions(model, case.online),
        record.matrix is None,
        np.array_equal(model.ranker.score(case.online), record.scores),
    )


def find_record(settings: Settings, request_id: str) -> ScoreRecord:
    """Raises NoRecords, BrokenRecords."""
    for path in reversed(score_files(settings.live_dir)):
        try:
            if request_id in pq.read_table(path, columns=["request_id"], partitioning=None)["request_id"].to_pylist():
                return next(read_records(path, request_id=request_id))
        except FileNotFoundError:  # the scorer has removed it to make space for newer files
            continue
        except (OSError, pa.ArrowException) as error:
            raise BrokenRecords(f"{path}: {str(error).splitlines()[0]}") from error
    raise NoRecords(f"{score_folder(settings.live_dir)} has no request {request_id}")


def lines(found: Replayed, only: str | None = None) -> Iterator[str]:
    """The lines to print. ``only``: an item; by default all items."""
    record = found.comparison.record
    model = f"{record.model_name} version {record.model_version}"
    yield f"request {record.request_id}: scored at {record.scored_us} µs by {model}, {record.clock} clock"
    yield f"user {record.user_id}, session {record.session_id}, context {dict(record.context)}"
    yield "answered without the feature store" if record.degraded else "answered with the feature store"
    if found.rebuilt:
        yield "the matrix was not logged: it is rebuilt from the rows that were read online"
    yield f"the model's scores equal the logged scores bit for bit: {'yes' if found.same_scores else 'NO'}"
    if found.contributions is None:
        yield "the model is a baseline: its scores are not sums over features"
    order = np.argsort(-record.scores, kind="stable").tolist()
    for rank, i in enumerate(order):
        if only is None or record.item_ids[i] == only:
            yield ""
            yield f"#{rank} {record.item_ids[i]}: score {float(record.scores[i])!r}, input position {i}"
            yield from _item_lines(found, i)


def _item_lines(found: Replayed, i: int) -> Iterator[str]:
    yield f"  {'feature':<24}{'source':<17}{'row age':>12}{'online':>16}{'offline':>16}{'adds':>10}  cause"
    for j, feature in enumerate(found.features):
        code = int(found.comparison.causes[i, j])
        adds = "" if found.contributions is None else f"{found.contributions[i, j]:+.4f}"
        yield (
            f"  {feature.name:<24}{feature.source:<17}{_age(found.comparison.record, feature.source, i):>12}"
            f"{_value(found, found.online[i, j], feature):>16}"
            f"{_value(found, found.comparison.offline[i, j], feature):>16}{adds:>10}"
            f"  {'' if code == EQUAL else NAMES[code]}".rstrip()
        )


def _age(record: ScoreRecord, view: str, i: int) -> str:
    """The age of the row that was read online; empty for a source that is not a view."""
    times = record.read_us.get(view)
    if times is None or not len(times):
        return ""
    read_us = int(times[i if len(times) == len(record.item_ids) and len(times) > 1 else 0])
    return "no row" if read_us == 0 else f"{(record.scored_us - read_us) / 1e6:.1f} s"


def _value(found: Replayed, value: np.float32, feature: Feature) -> str:
    if np.isnan(value):
        return "unknown"
    if feature.dtype == CATEGORY:
        return found.vocabulary.text(feature.name, float(value)) or "unknown"
    return f"{float(value):.7g}"


def _contributions(model: LoadedModel, matrix: Floats) -> Doubles | None:
    try:
        return model.ranker.contributions(matrix)
    except NotAdditive:
        return None


def _model(settings: Settings, record: ScoreRecord) -> LoadedModel:
    """The model version that scored the request. Raises ModelStoreError, MlflowException."""
    store = ModelStore(settings, record.model_name)
    return store.load_version(store.client.get_model_version(record.model_name, record.model_version))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.skew.replay", description=__doc__.split("\n")[0])
    parser.add_argument("request_id")
    parser.add_argument("--item", metavar="ITEM_ID", help="only this item")
    arguments = parser.parse_args(argv)
    settings = command_settings()
    try:
        found = replay(settings, arguments.request_id)
        if arguments.item is not None and arguments.item not in found.comparison.record.item_ids:
            raise NoRecords(f"request {arguments.request_id} has no item {arguments.item}")
    except UNUSABLE as error:
        print(f"validation.skew.replay: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    print("\n".join(lines(found, arguments.item)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
