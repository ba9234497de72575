"""The text of a replayed request made by hand. Whole replays are in tests/validation/skew/test_audit.py."""

import numpy as np

from feature_repo.definitions.view import Feature
from feature_repo.live.score_records import ScoreRecord
from infra.models.vocabulary import Vocabulary
from validation.skew.comparison import EQUAL, NAMES, Comparison
from validation.skew.replay import Replayed, lines

FEATURES = (
    Feature("price", "item_attributes", ""),
    Feature("user_is_new", "user_windows", ""),
    Feature("hour", "derived", ""),
    Feature("brand", "item_attributes", "", dtype="category"),
)
LATE = NAMES.index("late data")


def replayed(contributions=True, **changes):
    matrix = np.array([[1.5, np.nan, 12, 2], [0.1, np.nan, 12, 0]], np.float32)
    record = ScoreRecord(
        "r1", 100_000_000, "replay", ["a", "b"], np.array([0.25, 0.5]), "ranker-x", "7", "h", False, "u", None,
        read_us={"item_attributes": np.array([40_000_000, 0]), "user_windows": np.array([99_999_999])}, matrix=matrix,
    )  # fmt: skip
    offline = np.array([[2.5, np.nan, 12, 1], [0.1, np.nan, 12, 0]], np.float32)
    causes = np.array([[LATE, EQUAL, EQUAL, LATE], [EQUAL] * 4], np.int8)
    adds = np.array([[0.1, 0.2, -0.3, 0.5, 0.25], [0.0, 0.0, 0.25, 0.0, 0.25]]) if contributions else None
    return Replayed(
        **{"comparison": Comparison(FEATURES, record, offline, causes), "features": FEATURES,
           "vocabulary": Vocabulary({"brand": ("own",)}), "contributions": adds,
           "rebuilt": False, "same_scores": True, **changes}
    )  # fmt: skip


def cells(text, feature):
    return [line.split() for line in text.splitlines() if line.split()[:1] == [feature]]


def test_items_are_in_the_order_of_their_scores_with_every_feature():
    text = "\n".join(lines(replayed()))
    assert text.index("#0 b: score 0.5, input position 1") < text.index("#1 a: score 0.25, input position 0")
    assert cells(text, "price") == [
        ["price", "item_attributes", "no", "row", "0.1", "0.1", "+0.0000"],
        ["price", "item_attributes", "60.0", "s", "1.5", "2.5", "+0.1000", "late", "data"],
    ]
    assert cells(text, "hour")[1] == ["hour", "derived", "12", "12", "-0.3000"]
    assert cells(text, "brand") == [
        ["brand", "item_attributes", "no", "row", "unknown", "unknown", "+0.0000"],
        ["brand", "item_attributes", "60.0", "s", "own", "rare", "or", "new", "+0.5000", "late", "data"],
    ]
    assert cells(text, "user_is_new")[0] == ["user_is_new", "user_windows", "0.0", "s", "unknown", "unknown", "+0.0000"]


def test_one_item_can_be_selected():
    text = "\n".join(lines(replayed(), "a"))
    assert "#1 a:" in text
    assert "#0 b:" not in text


def test_a_rebuilt_matrix_other_scores_and_a_baseline_are_reported():
    text = "\n".join(lines(replayed(contributions=False, rebuilt=True, same_scores=False)))
    assert "bit for bit: NO" in text
    assert "the matrix was not logged" in text
    assert "baseline" in text
    assert cells(text, "hour")[0] == ["hour", "derived", "12", "12"]
