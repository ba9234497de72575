"""What materialization selects: for each key, the newest row by (event time, created time) within a range."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.offline.store import AsofOfflineStore
from tests.feature_repo.offline import oracle
from tests.feature_repo.offline.cases import Case, View
from tests.feature_repo.offline.oracle import CREATED, EVENT
from tests.feature_repo.offline.retrieval import config, rows, sources
from tests.feature_repo.offline.source_files import file_columns
from tests.feature_repo.offline.strategies import OFFSETS, cases
from tests.feature_repo.offline.value_types import canonical

pytestmark = pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning")
Rows = list[dict[str, Any]]


def oracle_newest(view: View, first: datetime, last: datetime, known_at: datetime | None) -> Rows:
    """The oracle's join, where each key of the source is an entity row at the end of the range."""
    inside = [row for row in view.rows if row[EVENT] is not None and first <= row[EVENT] <= last]
    names = list(file_columns(view))
    source = oracle.OracleView(inside, {key: key for key in view.keys}, {n: n for n in names}, view.has_created, None)
    keys = {tuple(row[key] for key in view.keys): row for row in inside}.values()
    found = [
        {name: canonical(value) for name, value in row.items() if name in names}
        for row in oracle.joined(list(keys), [last] * len(keys), [source], known_at)
    ]
    return in_key_order([row for row in found if row[EVENT] is not None], view)


def in_key_order(found: Rows, view: View) -> Rows:
    return sorted(found, key=lambda row: [str(row[key]) for key in view.keys])


def selected(case: Case, first: datetime, last: datetime, store: type[DuckDBOfflineStore]) -> Rows:
    """The newest rows of the case's first view. As in Feast, the call uses the names in the files."""
    view = case.uses[0].view
    file_name = view.storage.renamed
    with sources(case) as views:
        job = store.pull_latest_from_table_or_query(
            config(case, store),
            views[view.name].batch_source,
            [file_name.get(key, key) for key in view.keys],
            [file_name.get(feature, feature) for feature in view.kinds],
            file_name.get(EVENT, EVENT),
            file_name.get(CREATED, CREATED) if view.has_created else None,
            first,
            last,
        )
        table = job.to_arrow()
    feast_name = {in_file: name for name, in_file in file_name.items()}
    return in_key_order(rows(table.rename_columns([feast_name.get(name, name) for name in table.column_names])), view)


@st.composite
def selections(draw: st.DrawFn, known_at: bool = True) -> tuple[Case, datetime, datetime]:
    case = draw(cases(max_views=1, known_at=known_at).filter(lambda case: case.frame.timestamps))
    base = min(case.frame.timestamps)
    first, last = sorted(base + after - OFFSETS[-1] / 2 for after in draw(st.tuples(*[st.sampled_from(OFFSETS)] * 2)))
    return case, first, last


@given(selections())
def test_the_newest_row_of_each_key_equals_the_oracles(selection: tuple[Case, datetime, datetime]) -> None:
    case, first, last = selection
    expected = oracle_newest(case.uses[0].view, first, last, case.known_at)
    assert selected(case, first, last, AsofOfflineStore) == expected


@given(selections(known_at=False))
def test_feast_selects_the_same_rows_except_rows_without_a_key(selection: tuple[Case, datetime, datetime]) -> None:
    """Feast's store also returns a row of null keys, which no entity has. It cannot read nanoseconds."""
    case, first, last = selection
    use = case.uses[0]
    storage = replace(use.view.storage, timestamp=use.view.storage.timestamp.replace("naive ns", "naive"))
    storage = replace(storage, timestamp=storage.timestamp.replace("ns", "utc"))
    case = replace(case, uses=(replace(use, view=replace(use.view, storage=storage)),))
    feast = selected(case, first, last, DuckDBOfflineStore)
    with_keys = [row for row in feast if all(row[key] is not None for key in use.view.keys)]
    assert selected(case, first, last, AsofOfflineStore) == with_keys
