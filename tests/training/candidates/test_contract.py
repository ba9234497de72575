"""What every candidate source promises, asked of each source fitted on one small shop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")  # exports the sequence model
pytest.importorskip("implicit")

from feature_repo.candidates.queries import Queries, queries_of_rows
from feature_repo.candidates.source import Candidates, Source
from feature_repo.candidates.union import KINDS, Sources
from feature_repo.slate import Row
from infra.clock import epoch_us
from tests.training.candidates.small_shop import (
    ITEMS,
    KNOWN_AT,
    MARKER,
    SmallShop,
    at,
    export_sequences,
    history_row,
    make_shop,
    session_row,
)
from training.candidates.fit import FITS, fit_sources

NAMES = tuple(FITS)
SIMILAR = ("covisitation", "als", "next_item", "nearest_titles")
K = 15


def fitted(shop: SmallShop) -> Sources:
    return fit_sources(shop.settings, shop.params, KNOWN_AT)


def shop_with_sequences(folder: Path, later: str = "") -> SmallShop:
    shop = make_shop(folder, later=later)
    export_sequences(shop, "gru4rec", ITEMS[:40], at(days=39))
    return shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> SmallShop:
    return shop_with_sequences(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def sources(shop) -> Sources:
    return fitted(shop)


@pytest.fixture(scope="module")
def queries(shop, sources) -> Queries:
    return shop.queries(sources.codes)


@pytest.fixture(params=NAMES)
def source(request, sources) -> Source:
    return next(each for each in sources.sources if each.name == request.param)


def rows_of(found: Candidates, row: int) -> tuple[list[int], list[float]]:
    part = found.lists.slice(row)
    return found.items[part].tolist(), found.scores[part].tolist()


def assert_equal(first: Candidates, second: Candidates) -> None:
    np.testing.assert_array_equal(first.lists.starts, second.lists.starts)
    np.testing.assert_array_equal(first.items, second.items)
    np.testing.assert_array_equal(first.scores.view(np.int32), second.scores.view(np.int32))


def assert_ordered(found: Candidates, queries: int, k: int, items: int) -> None:
    assert len(found.lists) == queries
    assert (found.items.dtype, found.scores.dtype) == (np.int32, np.float32)
    assert len(found.items) == len(found.scores) == found.lists.size
    assert found.lists.lengths.max(initial=0) <= k
    assert np.isfinite(found.scores).all()
    for row in range(queries):
        codes, scores = rows_of(found, row)
        assert len(set(codes)) == len(codes)
        assert all(0 <= code < items for code in codes)
        assert sorted(zip([-s for s in scores], codes, strict=True)) == list(
            zip([-s for s in scores], codes, strict=True)
        )


def test_every_source_is_fitted_and_can_be_read_back(sources):
    assert sources.names == NAMES == tuple(KINDS)


def test_candidates_are_in_order_and_each_item_comes_once(source, queries):
    known = len(queries.codes) + len(queries.unknown)
    found = source.candidates(queries, K)
    assert_ordered(found, len(queries), K, known)
    assert found.lists.lengths.mean() > 5
    fewer = source.candidates(queries, 3)
    for row in range(len(queries)):
        assert rows_of(fewer, row)[0] == rows_of(found, row)[0][:3]


def test_more_than_the_catalog_gives_what_there_is(source, queries):
    k = 50 * len(queries.codes)
    found = source.candidates(queries, k)
    assert_ordered(found, len(queries), k, len(queries.codes) + len(queries.unknown))
    assert found.lists.lengths.max() <= len(queries.codes)


def test_asking_again_gives_the_same(source, queries):
    assert_equal(source.candidates(queries, K), source.candidates(queries, K))


def test_a_query_is_answered_alone_as_among_others(source, queries):
    together = source.candidates(queries, K)
    for row in range(len(queries)):
        alone = source.candidates(_only(queries, row), K)
        assert rows_of(alone, 0) == rows_of(together, row)


def _only(queries: Queries, row: int) -> Queries:
    """The query of one row. Unknown items keep their codes."""

    def part(events):
        chosen = events.lists.slice(row)
        lists = type(events.lists).of_lengths([chosen.stop - chosen.start])
        return type(events)(lists, events.items[chosen], {name: v[chosen] for name, v in events.values.items()})

    return replace(
        queries,
        at_us=queries.at_us[row : row + 1],
        history=part(queries.history),
        recent=part(queries.recent),
        cart=part(queries.cart),
        context={name: values[row : row + 1] for name, values in queries.context.items()},
    )


def test_no_queries_have_no_candidates(source, sources):
    found = source.candidates(queries_of_rows(sources.codes, [], [], [], []), K)
    assert (len(found.lists), len(found.items)) == (0, 0)


def test_a_user_of_whom_nothing_is_known_gets_only_what_is_trending(source, sources):
    found = source.candidates(queries_of_rows(sources.codes, [epoch_us(KNOWN_AT)], [Row()], [Row()], [{}]), K)
    assert found.lists.lengths.tolist() == ([K] if source.name == "trending" else [0])


def test_unknown_items_of_a_history_change_nothing_else(source, shop, sources):
    known = [each for each in shop.events if each["event_ts"] < KNOWN_AT]
    user, session = history_row(known, "u01"), session_row(known, "u01")
    more = Row({name: [*values, values[-1]] for name, values in user.items()})
    more["history_items"] = [*user["history_items"], "never-seen"]
    when = [epoch_us(KNOWN_AT)]
    plain = source.candidates(queries_of_rows(sources.codes, when, [user], [session], [{}]), 1_000)
    mixed = queries_of_rows(sources.codes, when, [more], [session], [{}])
    found = source.candidates(mixed, 1_000)
    items, scores = rows_of(found, 0)
    kept = [(item, score) for item, score in zip(items, scores, strict=True) if item < len(sources.codes)]
    assert kept == list(zip(*rows_of(plain, 0), strict=True))
    unknown = [mixed.decode(np.array([item], np.int32)) for item in items if item >= len(sources.codes)]
    assert unknown in ([], [["never-seen"]])


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def saved(sources: Sources, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    sources.save(folder)
    return files_of(folder)


@pytest.fixture(scope="module")
def files(sources, tmp_path_factory) -> dict[str, bytes]:
    return saved(sources, tmp_path_factory.mktemp("saved") / "sources")


def test_saved_sources_answer_the_same(sources, queries, tmp_path):
    (tmp_path / "saved").mkdir()
    sources.save(tmp_path / "saved")
    loaded = Sources.load(tmp_path / "saved")
    for before, after in zip(sources.sources, loaded.sources, strict=True):
        assert_equal(before.candidates(queries, K), after.candidates(queries, K))
    first, second = sources.candidates(queries), loaded.candidates(queries)
    np.testing.assert_array_equal(first.items, second.items)
    np.testing.assert_array_equal(first.columns, second.columns)
    assert first.lists.lengths.min() > 0  # every query has candidates


def test_nothing_is_pickled(files):
    assert {Path(name).suffix for name in files} == {".json", ".npy", ".onnx", ".parquet"}
    for name, content in files.items():
        if name.endswith(".npy"):
            assert b"'descr': '|O'" not in content[:128], name


def test_fitting_again_gives_the_same_bytes(shop, files, tmp_path):
    assert saved(fitted(shop), tmp_path / "again") == files


@pytest.mark.parametrize("later", ["nothing", "marker"])
def test_nothing_from_the_timestamp_on_is_in_a_source(files, tmp_path, later):
    other = shop_with_sequences(tmp_path / "other", later=later)
    export_sequences(other, "gru4rec_later", [*ITEMS[:30], MARKER], at(days=40.5), seed=3)
    found = fitted(other)
    assert saved(found, tmp_path / "saved") == files
    assert MARKER not in found.codes.ids.to_pylist()


@pytest.mark.parametrize("name", SIMILAR)
def test_similar_items_are_others_in_order(sources, name):
    source = next(each for each in sources.sources if each.name == name)
    items = np.arange(len(sources.codes), dtype=np.int32)
    found = source.similar(items, 5)
    assert_ordered(found, len(items), 5, len(sources.codes))
    assert (found.items != items[found.lists.rows]).all()
    assert found.lists.size > 2 * len(items)
    for item in (0, 7, 8, 59):
        alone = source.similar(np.array([item], np.int32), 5)
        assert rows_of(alone, 0) == rows_of(found, item)


def test_only_kinds_that_know_similar_items_say_so(sources):
    assert {source.name for source in sources.sources if hasattr(source, "similar")} == set(SIMILAR)
