"""Two items whose scores were made by hand: the base 1, and what four features add."""

from __future__ import annotations

import pytest

from feature_repo.definitions.view import Feature
from serving.features.reading import Missing
from serving.score.answers import ExplainAnswer, ExplainedItem, ModelName
from serving.web.reasons import NothingToExplain, explained

FEATURES = [
    Feature("bought_count", "derived", "times"),
    Feature("bought_rate", "derived", "rate"),
    Feature("price", "item_attributes", "price", "money"),
    Feature("hour", "derived", "hour"),
]


def item(item_id: str, *shares: float) -> ExplainedItem:
    names = [feature.name for feature in FEATURES]
    return {
        "item_id": item_id,
        "score": 1 + sum(shares),
        "by_source": {},
        "contributions": dict(zip(names, shares, strict=True)),
        "values": {"bought_count": 2.0, "bought_rate": 0.1, "price": 1.5, "hour": 12.0},
    }


@pytest.fixture
def answer() -> ExplainAnswer:
    return ExplainAnswer(
        request_id="r",
        scored_at="",
        model=ModelName("m", "3", "lightgbm"),
        base_score=1.0,
        items=[item("top", 0.5, 0.25, -0.125, 1.0), item("low", 0.0, -0.25, 0.125, 1.0)],
        pair=None,
        degraded=False,
        missing=Missing(0, False, False),
    )


def test_the_shares_of_a_theme_are_summed_and_compared_with_the_lists_mean(answer: ExplainAnswer) -> None:
    found = explained(answer, FEATURES, "top")
    # bought: 0.75 beside a mean of 0.25; price: -0.125 beside 0; the hour is the same for both.
    assert [(each.words, each.share, each.width) for each in found.reasons] == [
        ("how often and how lately you bought it", pytest.approx(0.5), 100),
        ("its price", pytest.approx(-0.125), 25),
    ]
    assert (found.rank, found.of, found.model) == (1, 2, "m version 3")
    mean = sum(each["score"] for each in answer.items) / 2
    assert found.difference == pytest.approx(answer.items[0]["score"] - mean)
    assert sum(each.share for each in found.reasons) + found.rest == pytest.approx(found.difference)


def test_the_sentence_names_what_lifts_and_what_holds_back(answer: ExplainAnswer) -> None:
    assert explained(answer, FEATURES, "top").sentence == (
        "What lifts it most: how often and how lately you bought it. What holds it back: its price."
    )


def test_an_item_that_is_alone_has_nothing_that_sets_it_apart(answer: ExplainAnswer) -> None:
    del answer.items[1]
    found = explained(answer, FEATURES, "top")
    assert found.reasons == []
    assert found.sentence.startswith("Nothing sets it apart")


def test_an_item_that_has_left_the_list_is_not_explained(answer: ExplainAnswer) -> None:
    with pytest.raises(NothingToExplain, match="has left the list"):
        explained(answer, FEATURES, "gone")
