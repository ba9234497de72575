"""The matrix and the contract of the model that ranks candidates."""

import numpy as np
import pytest

from feature_repo.candidates import union
from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.source import SourceKind
from feature_repo.candidates.sources.own_history import OwnHistory
from feature_repo.candidates.stage_two_features import recommend_contract, recommend_features, recommend_matrix
from feature_repo.candidates.union import Sources
from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import COMPLETE_JOURNEY as DECLARATION
from feature_repo.definitions.views import ITEM_COMPANIONS, views
from feature_repo.model_features import feature_matrix, model_features
from feature_repo.slate import Slate, column_array
from infra.models.vocabulary import NO_TEXTS

SOURCES = Sources(ItemCodes.of_ids(["a", "b"]), (OwnHistory(60),), {"own_history": 5}, limit=5, known_at_us=0)
COLUMNS = np.array([[2.5, 0], [np.nan, np.nan]], np.float32)


def slate_of(*ids: str) -> Slate:
    item_views = [view for view in views(DECLARATION) if view.entity == "item" and view is not ITEM_COMPANIONS]
    items = {c.name: column_array([None] * len(ids), c.dtype) for view in item_views for c in view.columns}
    return Slate(scored_us=10**15, item_ids=list(ids), items=items)


def test_the_matrix_is_the_rankers_then_score_and_rank_of_each_source():
    slate = slate_of("b", "a")
    matrix = recommend_matrix(slate, DECLARATION, COLUMNS, NO_TEXTS)
    own = feature_matrix(slate, DECLARATION, NO_TEXTS)
    np.testing.assert_array_equal(matrix, np.concatenate([own, COLUMNS], axis=1))
    assert (matrix.dtype, matrix.flags.f_contiguous) == (np.float32, True)
    names = [feature.name for feature in recommend_features(DECLARATION, SOURCES)]
    assert names[-2:] == ["own_history_score", "own_history_rank"]
    assert matrix[:, names.index("input_position")].tolist() == [0.0, 1.0]  # the order of the sources
    assert matrix.shape == (2, len(names))


def test_rows_of_other_candidates_are_refused():
    with pytest.raises(ValueError, match="2 rows of sources for 1 candidates"):
        recommend_matrix(slate_of("a"), DECLARATION, COLUMNS, NO_TEXTS)


def test_the_contract_names_the_matrix_in_order():
    contract = recommend_contract("shop", DECLARATION, SOURCES)
    assert contract.feature_names == tuple(f.name for f in recommend_features(DECLARATION, SOURCES))
    assert [f.source for f in contract.features[len(model_features(DECLARATION)) :]] == ["candidates"] * 2
    assert contract.versions["source_own_history"] == 1


def test_a_model_of_other_sources_is_refused(monkeypatch: pytest.MonkeyPatch):
    trained = recommend_contract("shop", DECLARATION, SOURCES)
    changed = SourceKind("own_history", version=2, load=OwnHistory.load)
    monkeypatch.setattr(union, "KINDS", {"own_history": changed})
    monkeypatch.setattr("feature_repo.candidates.stage_two_features.KINDS", {"own_history": changed})
    present = recommend_contract("shop", DECLARATION, SOURCES)
    assert trained.differences(present) == ["source_own_history features: the model has version 1, the scorer 2"]
    assert "feature 'own_history_score': unknown to the scorer" in trained.differences(
        current_contract("shop", DECLARATION)
    )
