"""``python -m validation.skew.replay REQUEST_ID``: one logged ``/score``, online and offline side by side.

Of each item: its score, and of each feature where it comes from, how old the row was that online read, the value that
was scored, the value that the log gives, and what it adds to the score. Where the matrix was not logged, it is made
again from the rows that online read; the model's scores tell whether it is the one that was scored.
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

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.live.score_records import ScoreRecord, read_records, score_files, score_folder
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.offline.errors import OfflineError
from feature_repo.schema import Feature
from feature_repo.slate import Floats
from infra.models.model_store import LoadedModel, ModelStore, ModelStoreError
from infra.models.ranker import Doubles, NotAdditive
from infra.redis_server.server import RedisServerError
from infra.settings import Settings
from validation.skew.causes.case import Case
from validation.skew.causes.knowledge import read_knowledge
from validation.skew.causes.row_history import RowHistory
from validation.skew.causes.value_causes import Overridden
from validation.skew.comparison import EQUAL, NAMES, Verdict, judged
from validation.skew.errors import BrokenRecords, NoRecords, UnusableInput
from validation.skew.offline import OfflineSlates, offline_settings

UNUSABLE = (UnusableInput, DatasetError, OfflineError, RedisServerError, ModelStoreError, MlflowException,
            redis.RedisError, duckdb.Error, OSError)  # fmt: skip


@dataclass(frozen=True)
class Replayed:
    """One request. ``contributions``: (n, f + 1), None for a baseline; ``remade``: the online matrix was not logged;
    ``rescored``: whether the model gives the logged scores for it, bit for bit."""

    verdict: Verdict
    features: Sequence[Feature]
    contributions: Doubles | None
    remade: bool
    rescored: bool

    @property
    def online(self) -> Floats:
        assert self.verdict.record.matrix is not None  # it is logged or remade
        return self.verdict.record.matrix


def replay(settings: Settings, request_id: str) -> Replayed:
    """Raises what ``UNUSABLE`` lists."""
    record = find_record(settings, request_id)
    declaration = declaration_of(settings)
    if record.contract_hash != current_contract(settings.dataset, declaration).contract_hash:
        raise BrokenRecords(f"request {request_id} was scored under another contract than this code's")
    model = _model(settings, record)
    with offline_settings(settings) as private:
        (slate,) = OfflineSlates(private, declaration).read([record])
        (evidence,) = RowHistory(private, declaration).of([record], [slate])
    matrix = feature_matrix(slate, declaration)
    case = Case(record, slate, matrix, declaration, evidence, read_knowledge(settings))
    if record.matrix is None:
        as_read = replace(case, offline=case.matrix(case.as_read))
        case = replace(case, record=replace(record, matrix=next(Overridden().matrices(as_read))))
    return Replayed(
        judged(case),
        model_features(declaration),
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
        except FileNotFoundError:  # the scorer has made room for newer files
            continue
        except (OSError, pa.ArrowException) as error:
            raise BrokenRecords(f"{path}: {str(error).splitlines()[0]}") from error
    raise NoRecords(f"{score_folder(settings.live_dir)} holds no request {request_id}")


def lines(found: Replayed, only: str | None = None) -> Iterator[str]:
    """The text. ``only``: of one item."""
    record = found.verdict.record
    model = f"{record.model_name} version {record.model_version}"
    yield f"request {record.request_id}: scored at {record.scored_us} µs by {model}, {record.clock} clock"
    yield f"user {record.user_id}, session {record.session_id}, context {dict(record.context)}"
    yield "answered without the feature store" if record.degraded else "answered with the feature store"
    if found.remade:
        yield "the matrix was not logged: it is made from the rows that online read"
    yield f"the model gives the logged scores again, bit for bit: {'yes' if found.rescored else 'NO'}"
    if found.contributions is None:
        yield "the model is a baseline, whose scores are no sums over features"
    order = np.argsort(-record.scores, kind="stable").tolist()
    for rank, i in enumerate(order):
        if only is None or record.item_ids[i] == only:
            yield ""
            yield f"#{rank} {record.item_ids[i]}: score {float(record.scores[i])!r}, input position {i}"
            yield from _item_lines(found, i)


def _item_lines(found: Replayed, i: int) -> Iterator[str]:
    yield f"  {'feature':<24}{'source':<17}{'row age':>12}{'online':>16}{'offline':>16}{'adds':>10}  cause"
    for j, feature in enumerate(found.features):
        code = int(found.verdict.causes[i, j])
        adds = "" if found.contributions is None else f"{found.contributions[i, j]:+.4f}"
        yield (
            f"  {feature.name:<24}{feature.source:<17}{_age(found.verdict.record, feature.source, i):>12}"
            f"{_number(found.online[i, j]):>16}{_number(found.verdict.offline[i, j]):>16}{adds:>10}"
            f"  {'' if code == EQUAL else NAMES[code]}".rstrip()
        )


def _age(record: ScoreRecord, view: str, i: int) -> str:
    """Of the row that online read; nothing for what is no stored row."""
    times = record.read_us.get(view)
    if times is None or not len(times):
        return ""
    read_us = int(times[i if len(times) == len(record.item_ids) and len(times) > 1 else 0])
    return "no row" if read_us == 0 else f"{(record.scored_us - read_us) / 1e6:.1f} s"


def _number(value: np.float32) -> str:
    return "unknown" if np.isnan(value) else f"{float(value):.7g}"


def _contributions(model: LoadedModel, matrix: Floats) -> Doubles | None:
    try:
        return model.ranker.contributions(matrix)
    except NotAdditive:
        return None


def _model(settings: Settings, record: ScoreRecord) -> LoadedModel:
    """The version that scored. Raises ModelStoreError, MlflowException."""
    store = ModelStore(settings)
    return store.load_version(store.client.get_model_version(record.model_name, record.model_version))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m validation.skew.replay", description=__doc__.split("\n")[0])
    parser.add_argument("request_id")
    parser.add_argument("--item", metavar="ITEM_ID", help="only this item")
    arguments = parser.parse_args(argv)
    settings = Settings()
    try:
        found = replay(settings, arguments.request_id)
        if arguments.item is not None and arguments.item not in found.verdict.record.item_ids:
            raise NoRecords(f"request {arguments.request_id} has no item {arguments.item}")
    except UNUSABLE as error:
        print(f"validation.skew.replay: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    print("\n".join(lines(found, arguments.item)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
