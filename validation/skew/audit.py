"""The audit: rebuilds all sampled slates of the score log and compares them."""

from __future__ import annotations

import sys

import numpy as np
from tqdm import tqdm

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.live.score_records import ScoreRecord, score_folder
from feature_repo.model_features import model_features
from feature_repo.schema import Declaration
from infra.settings import Settings
from validation.skew.causes.case import Case
from validation.skew.causes.knowledge import Knowledge, read_knowledge
from validation.skew.causes.row_history import RowHistory
from validation.skew.comparison import Comparison, compare, differs, equal
from validation.skew.errors import NoRecords
from validation.skew.findings import Findings
from validation.skew.offline import OfflineSlates, offline_settings
from validation.skew.recomputed import Recomputation, Recomputed
from validation.skew.records import ServedSlates


class Auditor:
    """``settings``: see :func:`validation.skew.offline.offline_settings`. ``recomputation`` knows all records."""

    def __init__(
        self, settings: Settings, declaration: Declaration, known: Knowledge, recomputation: Recomputation
    ) -> None:
        self._declaration = declaration
        self._recomputation = recomputation
        self._known = known
        self._offline = OfflineSlates(settings, declaration)
        self._history = RowHistory(settings, declaration)

    def compare(self, records: list[ScoreRecord]) -> list[Comparison]:
        """One comparison per record. Raises OfflineError, duckdb.Error."""
        slates = self._offline.read(records)
        how = [self._how(record) for record in records]
        matrices = [each.matrix(slate) for each, slate in zip(how, slates, strict=True)]
        different = [i for i, record in enumerate(records) if differs(matrices[i], _matrix(record)).any()]
        found = [
            equal(each.features, record, matrix) for each, record, matrix in zip(how, records, matrices, strict=True)
        ]
        evidence = self._history.of([records[i] for i in different], [slates[i] for i in different])
        for i, rows in zip(different, evidence, strict=True):
            of_slate = (records[i], slates[i], matrices[i], self._declaration, rows, self._known)
            found[i] = compare(Case(*of_slate, how[i].features, how[i].matrix))
        return found

    def _how(self, record: ScoreRecord) -> Recomputed:
        found = self._recomputation.of(record)
        assert found is not None  # only such records are read
        return found


def audit(settings: Settings, since_us: int | None = None) -> Findings:
    """Compare all sampled requests that were scored at or after ``since_us``.

    Raises UnusableInput, DatasetError, OfflineError, RedisServerError, redis.RedisError, duckdb.Error, OSError.
    """
    declaration = declaration_of(settings)
    features = model_features(declaration)
    recomputation = Recomputation(settings, declaration)

    def width_of(record: ScoreRecord) -> int | None:
        found = recomputation.of(record)
        return None if found is None else len(found.features)

    served = ServedSlates(settings.live_dir, since_us, width_of)
    if not served.files:
        folder = score_folder(settings.live_dir)
        raise NoRecords(f"{folder} has no scores: serve requests with RERANK_SCORE_LOG_MB > 0")
    findings = Findings.of(settings.dataset, features)
    known = read_knowledge(settings)
    with offline_settings(settings) as private, tqdm(desc="skew audit", unit=" requests", file=sys.stderr) as progress:
        auditor = Auditor(private, declaration, known, recomputation)
        for records in served.batches():
            for comparison in auditor.compare(records):
                findings.add(comparison)
            progress.update(len(records))
    findings.skipped = served.skipped
    if not findings.requests:
        raise NoRecords(_reason_for_none(served))
    return findings


def _reason_for_none(served: ServedSlates) -> str:
    folder = score_folder(served.live_dir)
    if served.skipped:
        return (
            f"{folder}: all {served.skipped} requests with a matrix have another contract than this code, or are of a "
            "model that cannot be loaded"
        )
    return f"{folder} has no request with its matrix: see RERANK_SCORE_LOG_MATRIX_SHARE and --since"


def _matrix(record: ScoreRecord) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    assert record.matrix is not None  # only such records are read
    return record.matrix
