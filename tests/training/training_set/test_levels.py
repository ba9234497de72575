"""Which texts are kept, on a training set whose support is counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.models.ranker import LightGbmRanker
from infra.models.vocabulary import Vocabulary
from tests.infra.small_models import ranker_of
from training.evaluation.ranker_evaluation import evaluate
from training.training_set.levels import Levels, feature_matrix_of
from training.training_set.ranking_data import coded_for, load_splits

TEXT = pa.dictionary(pa.int32(), pa.string())
# slate, item, split, kind of the item, store of the slate
ROWS = [
    ("1", "a", "train", "fruit", "north"),
    ("1", "b", "train", "fruit", "north"),
    ("1", "c", "train", None, "north"),
    ("2", "a", "train", "fruit", "south"),
    ("2", "d", "train", "title of d", "south"),
    ("3", "d", "train", "title of d", "south"),
    ("3", "e", "train", "bread", "south"),
    ("4", "f", "train", "bread", None),
    ("5", "g", "validation", "nuts", "north"),
    ("5", "h", "validation", "nuts", "north"),
    ("6", "g", "test", "nuts", "west"),
    ("6", "a", "test", "fruit", "west"),
]


def table() -> pa.Table:
    slate, item, split, kind, store = (list(column) for column in zip(*ROWS, strict=True))
    fields = {
        pa.field("slate_id", pa.string()): slate,
        pa.field("user_id", pa.string()): slate,
        pa.field("session_id", pa.string()): slate,
        pa.field("item_id", pa.string()): item,
        pa.field("event_timestamp", pa.timestamp("us", "UTC")): [int(each) for each in slate],
        pa.field("label", pa.int32()): [1] * len(ROWS),
        pa.field("relevant_total", pa.int32()): [2] * len(ROWS),
        pa.field("split", pa.string()): split,
        pa.field("price", pa.float32()): [None if each == "c" else 2.0 for each in item],
        pa.field("kind", TEXT, metadata={"entity": "item"}): kind,
        pa.field("context_store", TEXT, metadata={"entity": "slate"}): store,
    }
    arrays = [
        pa.array(values, pa.string()).dictionary_encode() if field.type == TEXT else pa.array(values, field.type)
        for field, values in fields.items()
    ]
    return pa.table(arrays, schema=pa.schema(list(fields)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """In two parts, each with a dictionary of its own, as the stages write it."""
    found = tmp_path / "training_set.parquet"
    whole = table()
    with pq.ParquetWriter(found, whole.schema) as writer:
        for part in (whole.slice(0, 5), whole.slice(5)):
            columns = [
                part[name].cast(pa.string()).combine_chunks().dictionary_encode()
                if pa.types.is_dictionary(part[name].type)
                else part[name]
                for name in part.column_names
            ]
            writer.write_table(pa.table(columns, schema=whole.schema))
    return found


def kept(path: Path, levels: Levels) -> dict[str, list[str]]:
    data = load_splits(path, ("price", "kind", "context_store"), levels=levels)
    return {feature: list(texts) for feature, texts in data["train"].vocabulary.texts.items()}


def test_a_text_is_kept_by_its_slates_and_owners_in_train(path: Path) -> None:
    found = kept(path, Levels(min_slates=2, min_owners=2))
    # "title of d" stands in two slates, but is of one item; "nuts" and "west" are not in train.
    assert found == {"kind": ["bread", "fruit"], "context_store": ["south"]}
    assert kept(path, Levels(min_slates=2, min_owners=1))["kind"] == ["bread", "fruit", "title of d"]
    assert kept(path, Levels(min_slates=1, min_owners=2))["context_store"] == ["south", "north"]
    assert kept(path, Levels(min_slates=3, min_owners=1)) == {"kind": [], "context_store": []}


def test_at_most_so_many_are_kept_the_most_frequent_first(path: Path) -> None:
    assert kept(path, Levels(1, 1, max_levels=1)) == {"kind": ["bread"], "context_store": ["south"]}
    assert kept(path, Levels(1, 1, max_levels=0)) == {"kind": [], "context_store": []}


def test_the_matrix_has_the_codes_of_all_splits(path: Path) -> None:
    data = load_splits(path, ("price", "kind", "context_store"), levels=Levels(2, 2))
    assert data["train"].column("kind").tolist() == [3, 3, 0, 3, 1, 1, 2, 2]
    assert data["train"].column("context_store").tolist() == [1, 1, 1, 2, 2, 2, 2, 0]
    assert data["validation"].column("kind").tolist() == [1, 1]
    assert data["test"].column("kind").tolist() == [1, 3]
    assert data["train"].categories == [1, 2]
    assert np.isnan(data["train"].column("price")[2])


def test_the_splits_that_are_read_do_not_change_what_is_kept(path: Path) -> None:
    levels = Levels(1, 1)
    some = load_splits(path, ("price", "kind", "context_store"), ("train", "validation"), levels)
    assert {feature: list(texts) for feature, texts in some["train"].vocabulary.texts.items()} == kept(path, levels)


def test_rows_are_coded_as_any_texts_are(path: Path) -> None:
    vocabulary = Vocabulary({"kind": ("nuts", "fruit"), "context_store": ("west",)})
    rows = pq.read_table(path).filter(pa.array([split == "test" for _, _, split, _, _ in ROWS]))
    matrix = feature_matrix_of(rows, ("context_store", "kind"), vocabulary)
    assert matrix.tolist() == [[2, 2], [2, 3]]


def test_a_ranker_of_another_vocabulary_reads_its_own_codes(path: Path) -> None:
    names = ("price", "kind", "context_store")
    data = load_splits(path, names, levels=Levels(2, 2))
    other = Vocabulary({"kind": ("nuts",), "context_store": ("west", "south")})
    ranker = LightGbmRanker(ranker_of(features=3).booster, names, vocabulary=other)
    found = coded_for(ranker, data["test"], path, "test")
    assert found.matrix.tolist() == [[2, 2, 2], [2, 1, 2]]
    rankers = {"model": ranker}
    evaluate(rankers, data["test"], seed=0, resamples=2, others={"model": found})
    with pytest.raises(ValueError, match="codes of the categories are not those of the ranker 'model'"):
        evaluate(rankers, data["test"], seed=0, resamples=2)
    same = load_splits(path, names, levels=other)["test"]
    np.testing.assert_array_equal(same.matrix, found.matrix)
    assert coded_for(ranker, same, path, "test") is same


def test_an_unknown_parameter_is_named() -> None:
    assert Levels.of({"categories": {"min_slates": 7}}) == Levels(min_slates=7)
    assert Levels.of({}) == Levels()
    with pytest.raises(ValueError, match="no min_rows; there are min_slates, min_owners, max_levels"):
        Levels.of({"categories": {"min_rows": 7}})
