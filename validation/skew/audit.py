"""The audit: all sampled slates of the score log, rebuilt and compared."""

from __future__ import annotations

import sys

import numpy as np
from tqdm import tqdm

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.live.score_records import ScoreRecord, score_folder
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.schema import Declaration
from infra.settings import Settings
from validation.skew.causes.case import Case
from validation.skew.causes.knowledge import Knowledge, read_knowledge
from validation.skew.causes.row_history import RowHistory
from validation.skew.comparison import Verdict, differs, equal, judged
from validation.skew.errors import NoRecords
from validation.skew.findings import Findings
from validation.skew.offline import OfflineSlates, offline_settings
from validation.skew.records import ServedSlates


class Auditor:
    """``settings``: see :func:`validation.skew.offline.offline_settings`."""

    def __init__(self, settings: Settings, declaration: Declaration, known: Knowledge) -> None:
        self._declaration = declaration
        self._known = known
        self._offline = OfflineSlates(settings, declaration)
        self._history = RowHistory(settings, declaration)

    def verdicts(self, records: list[ScoreRecord]) -> list[Verdict]:
        """One each. Raises OfflineError, duckdb.Error."""
        slates = self._offline.read(records)
        matrices = [feature_matrix(slate, self._declaration) for slate in slates]
        positions = [i for i, each in enumerate(records) if differs(matrices[i], _matrix(each)).any()]
        found = [equal(record, matrix) for record, matrix in zip(records, matrices, strict=True)]
        evidence = self._history.of([records[i] for i in positions], [slates[i] for i in positions])
        for i, its in zip(positions, evidence, strict=True):
            found[i] = judged(Case(records[i], slates[i], matrices[i], self._declaration, its, self._known))
        return found


def audit(settings: Settings, since_us: int | None = None) -> Findings:
    """Raises UnusableInput, DatasetError, OfflineError, RedisServerError, redis.RedisError, duckdb.Error, OSError."""
    declaration = declaration_of(settings)
    features = model_features(declaration)
    contract_hash = current_contract(settings.dataset, declaration).contract_hash
    served = ServedSlates(settings.live_dir, since_us, contract_hash, len(features))
    if not served.files:
        raise NoRecords(f"{score_folder(settings.live_dir)} holds no score: serve some, with RERANK_SCORE_LOG_MB > 0")
    findings = Findings.of(settings.dataset, features)
    known = read_knowledge(settings)
    with offline_settings(settings) as private, tqdm(desc="skew audit", unit=" requests", file=sys.stderr) as progress:
        auditor = Auditor(private, declaration, known)
        for records in served.pieces():
            for verdict in auditor.verdicts(records):
                findings.add(verdict)
            progress.update(len(records))
    findings.skipped = served.skipped
    if not findings.requests:
        raise NoRecords(_why_none(served))
    return findings


def _why_none(served: ServedSlates) -> str:
    folder = score_folder(served.live_dir)
    if served.skipped:
        return f"{folder}: all {served.skipped} requests with a matrix are of another contract than this code's"
    return f"{folder} holds no request with its matrix: see RERANK_SCORE_LOG_MATRIX_SHARE and --since"


def _matrix(record: ScoreRecord) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    assert record.matrix is not None  # only such records are read
    return record.matrix
