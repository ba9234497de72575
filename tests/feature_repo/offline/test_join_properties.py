"""The offline store equals the oracle, and its values do not depend on how frames and files are arranged."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from feast import FeatureService, FeatureStore
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.offline.store import AsofOfflineStore
from tests.feature_repo.offline.cases import Case, View
from tests.feature_repo.offline.oracle import CREATED, EVENT
from tests.feature_repo.offline.retrieval import (
    ENTITIES,
    check,
    config,
    entity_frame,
    oracle_rows,
    retrieved,
    rows,
    sources,
    used,
)
from tests.feature_repo.offline.source_files import file_columns
from tests.feature_repo.offline.strategies import cases, storages


def answer(case: Case) -> list[dict[str, Any]]:
    with sources(case) as views:
        return rows(retrieved(case, views))


def with_views(case: Case, changed: dict[str, View]) -> Case:
    return replace(case, uses=tuple(replace(use, view=changed[use.view.name]) for use in case.uses))


def views_of(case: Case) -> dict[str, View]:
    return {use.view.name: use.view for use in case.uses}


@given(cases())
def test_the_join_equals_the_oracle_in_values_types_and_row_order(case: Case) -> None:
    check(case)


@settings(max_examples=max(1, settings().max_examples // 10))
@given(cases())
def test_a_feature_store_gives_the_same_as_the_oracle(case: Case) -> None:
    # Feast 0.67 cannot compare services that use a view both under a name and without one.
    case = replace(case, uses=tuple(replace(use, alias=use.name) for use in case.uses))
    with sources(case) as views, tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(config=config(case, AsofOfflineStore, folder))
        service = FeatureService(
            name="service",
            features=[view[list(use.features)] for view, use in zip(used(case, views), case.uses, strict=True)],
        )
        store.apply([*ENTITIES.values(), *views.values(), service])
        job = store.get_historical_features(
            entity_frame(case.frame, Path(folder)),
            service,
            full_feature_names=case.full_names,
            filter_by_created_timestamp=case.known_when_scored,
        )
        assert rows(job.to_arrow()) == oracle_rows(case)


@given(cases(max_views=2), st.data())
def test_every_entity_row_comes_out_once_and_query_groups_stay_whole(case: Case, data: st.DataObject) -> None:
    count = len(case.frame.rows)
    slates = sorted(data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    frame = replace(
        case.frame,
        rows=[{**row, "slate": slate} for row, slate in zip(case.frame.rows, slates, strict=True)],
        kinds={**case.frame.kinds, "slate": "int32"},
    )
    found = answer(replace(case, frame=frame))
    assert [row["slate"] for row in found] == slates
    given_rows = [
        {**row, frame.timestamp: timestamp} for row, timestamp in zip(frame.rows, frame.timestamps, strict=True)
    ]
    assert [{name: row[name] for name in given_rows[0]} for row in found] == given_rows


@given(cases(max_views=2), st.data())
def test_permuting_the_entity_rows_permutes_the_result(case: Case, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(case.frame.rows))))
    shuffled = replace(
        case.frame,
        rows=[case.frame.rows[i] for i in order],
        timestamps=[case.frame.timestamps[i] for i in order],
    )
    before = answer(case)
    assert answer(replace(case, frame=shuffled)) == [before[i] for i in order]


@given(cases(max_views=2), st.data())
def test_splitting_moving_and_reordering_the_source_rows_changes_nothing(case: Case, data: st.DataObject) -> None:
    moved = {
        name: replace(view, storage=data.draw(storages(len(view.rows), list(file_columns(view)))))
        for name, view in views_of(case).items()
    }
    assert answer(with_views(case, moved)) == answer(case)


@given(cases(max_views=2), st.data())
def test_later_source_rows_do_not_change_an_entity_row(case: Case, data: st.DataObject) -> None:
    """Later by event time or, with ``known_at``, by created time."""
    last = max(case.frame.timestamps, default=None)
    if last is None:
        return
    later = {}
    for name, view in views_of(case).items():
        added = [{**row, EVENT: last + timedelta(microseconds=data.draw(st.integers(1, 3)))} for row in view.rows]
        if case.known_at is not None and view.has_created:
            added += [{**row, CREATED: case.known_at + timedelta(microseconds=1)} for row in view.rows]
        changed = [*view.rows, *data.draw(st.permutations(added))]
        later[name] = replace(view, rows=changed, storage=data.draw(storages(len(changed), list(file_columns(view)))))
    assert answer(with_views(case, later)) == answer(case)
