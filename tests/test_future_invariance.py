"""What is received after a time changes nothing up to that time: features, training rows, splits.

The whole way runs twice for each generated log: canonical log -> build -> Feast's join -> training set. The build's
``--until`` is fixed, because its default is the end of the log, and later arrivals would add days.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from feature_repo.apply import apply
from feature_repo.build import item_attributes, item_windows
from feature_repo.build.__main__ import build
from feature_repo.definitions.views import views
from infra.settings import Settings
from tests.mutation import Mutation, mutated
from tests.small_log import DECLARATION, at, event, impression, item, write_log
from training.training_set.build import TRAINING_SET_FILE, write_training_set

Row = dict[str, Any]
END = at(30)
SPLIT = {"validation_start": at(15).isoformat(), "test_start": at(20).isoformat()}
TICK, DAY = timedelta(microseconds=1), timedelta(days=1)
ARRIVAL = {"events": "received_ts", "items": "valid_from_ts", "impressions": "shown_ts"}
ITEMS, USERS = "abcd", "uv"
FACTS = {
    "events": {"action": ["order", "view", "clear_cart"], "item_id": ["a", "d"], "value": [1.0, 9.0]},
    "items": {"price": [0.5, 7.0, None], "category_id": ["x", "y"]},
    "impressions": {"label": [0, 4], "relevant_total": [3]},
}


@dataclass(frozen=True)
class Log:
    events: list[Row]
    items: list[Row]
    impressions: list[Row]

    def until(self, timestamp: datetime) -> Log:
        return Log(*([row for row in rows if row[ARRIVAL[n]] <= timestamp] for n, rows in vars(self).items()))


@dataclass(frozen=True)
class Built:
    """Every feature table and the training set."""

    features: dict[str, pa.Table]
    training: pa.Table

    def until(self, timestamp: datetime) -> Built:
        tables = {name: _until(table, timestamp) for name, table in self.features.items()}
        return Built(tables, _until(self.training, timestamp))


def _until(table: pa.Table, timestamp: datetime) -> pa.Table:
    return table.filter(pc.less_equal(table["event_timestamp"], pa.scalar(timestamp, pa.timestamp("us", "UTC"))))


# ------------------------------------------------------------------------------------ generated logs


def timestamps(first: int, last: int) -> st.SearchStrategy[datetime]:
    """Midnights, the microseconds beside them, and times of day."""
    return st.builds(
        lambda day, rest: at(day) + rest,
        st.integers(first, last - 1),
        st.sampled_from([timedelta(0), TICK, -TICK, timedelta(hours=7), timedelta(hours=7, seconds=1)]),
    )


@st.composite
def events(draw: st.DrawFn, number: int, received: datetime) -> Row:
    """Now and then one that happened well before it was received."""
    happened = received - draw(st.sampled_from([timedelta(0), timedelta(0), timedelta(seconds=5), 3 * DAY]))
    user, name = draw(st.sampled_from(USERS)), draw(st.sampled_from([*ITEMS, None]))
    return event(
        number,
        happened,
        draw(st.sampled_from(["order", "order", "view", "add_to_cart", "remove_from_cart"])) if name else "visit",
        name,
        user_id=user,
        session_id=f"{user}{draw(st.integers(0, 1))}",
        received_ts=received,
        category_id="x" if name in ("a", "b") else "y",
        value=draw(st.sampled_from([1.0, 2.5])),
    )


@st.composite
def slates(draw: st.DrawFn, name: str, shown: datetime) -> list[Row]:
    user = draw(st.sampled_from(USERS))
    names = draw(st.lists(st.sampled_from(ITEMS), min_size=1, max_size=3, unique=True))
    return [
        impression(name, i, shown, each, int(i == 0), user_id=user, session_id=f"{user}{i % 1}")
        for i, each in enumerate(names)
    ]


@st.composite
def rows_at(draw: st.DrawFn, times: st.SearchStrategy[datetime], number: int) -> Log:
    """Rows received at some of ``times``; ``number`` makes their ids unique.

    There are many, because a row costs almost nothing and a run half a second.
    """
    received, valid, shown = (draw(st.lists(times, min_size=n, max_size=2 * n)) for n in (10, 5, 3))
    return Log(
        [draw(events(number + i, when)) for i, when in enumerate(received)],
        [
            item(draw(st.sampled_from("aab")), valid_from_ts=when, price=draw(st.sampled_from([None, 1.0, 3.0])))
            for when in dict.fromkeys(valid)
        ],
        [row for i, when in enumerate(shown) for row in draw(slates(f"{number + i}", when))],
    )


@st.composite
def futures(draw: st.DrawFn) -> tuple[datetime, Log, Log]:
    """A timestamp, and two logs that agree on what was received up to it and differ soon after."""
    timestamp = draw(timestamps(10, 26))
    steps = [TICK, timedelta(seconds=1), timedelta(hours=5), DAY, 4 * DAY]
    before, soon = (st.sampled_from([timestamp + sign * step for step in steps]) for sign in (-1, 1))
    log = with_always(draw(rows_at(st.one_of(timestamps(0, 29), before, soon), 1000)))
    later = draw(rows_at(soon, 2000))
    known = log.until(timestamp)
    changed = {
        name: [
            *rows,
            *(
                {**row, **{fact: draw(st.sampled_from(values)) for fact, values in FACTS[name].items()}}
                for row in getattr(log, name)
                if row[ARRIVAL[name]] > timestamp and draw(st.booleans())
            ),
            *getattr(later, name),
        ]
        for name, rows in vars(known).items()
    }
    return timestamp, log, one_version_per_timestamp(Log(**changed))


def with_always(log: Log) -> Log:
    """And what every log has: sessions that make companions, first prices, and slates to train on."""
    often = [
        event(day * 2 + i, at(day, 5 + i), "order", name, session_id=f"old{day}", category_id="x", value=1.0)
        for day in range(0, 21, 3)
        for i, name in enumerate("ab")
    ]
    carts = [event(50, at(9, 9), "add_to_cart", "a", session_id="u0", category_id="x")]
    first = [item(name, valid_from_ts=at(0, 1), price=2.0) for name in ITEMS]
    shown = [
        impression(f"always{day}", i, at(day, 10), name, 1 - i, session_id="u0")
        for day in (9, 16)
        for i, name in enumerate("ab")
    ]
    return one_version_per_timestamp(
        Log([*often, *carts, *log.events], [*first, *log.items], [*shown, *log.impressions])
    )


def one_version_per_timestamp(log: Log) -> Log:
    return replace(log, items=list({(row["item_id"], row["valid_from_ts"]): row for row in log.items}.values()))


# ------------------------------------------------------------------------------------------ the whole way


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Its log is written again for each example; the registry stays."""
    folder = tmp_path_factory.mktemp("future")
    settings = Settings(
        data_dir=folder, state_dir=folder / "var", dataset="tiny", threads=1, redis_url="redis://127.0.0.1:1/0"
    )
    write(settings, with_always(Log([], [], [])))
    build(settings, END)
    apply(settings)
    return settings


def write(settings: Settings, log: Log) -> None:
    write_log(settings.log_dir, items=log.items, events=log.events, impressions=log.impressions)


def built(settings: Settings, log: Log) -> Built:
    write(settings, log)
    build(settings, END)
    write_training_set(settings, SPLIT)
    return Built(
        {view.name: pq.read_table(settings.features_dir / f"{view.name}.parquet") for view in views(DECLARATION)},
        pq.read_table(settings.training_dir / TRAINING_SET_FILE),
    )


def assert_same_bits(before: Built, after: Built) -> None:
    for name, table in before.features.items():
        assert_same_table(name, table, after.features[name])
    assert_same_table("the training set", before.training, after.training)


def assert_same_table(name: str, before: pa.Table, after: pa.Table) -> None:
    assert before.schema == after.schema
    for column in before.column_names:
        one, two = (bits(table[column].combine_chunks()) for table in (before, after))
        assert one.equals(two), f"{name} differs in {column}: {one} and {two}"


def bits(column: pa.Array) -> pa.Array:
    """Floats as the integers they are stored as, so that NaN equals NaN and 0 is not -0; texts without their codes."""
    if pa.types.is_dictionary(column.type):
        return column.dictionary_decode()
    return column.view(pa.int32()) if pa.types.is_float32(column.type) else column


# A run takes half a second, so only the full run has all examples; others have a fifth. To shrink an example takes
# longer than a test may: the process would end, and the difference would not be said.
PHASES = [phase for phase in Phase if phase is not Phase.shrink]
EXAMPLES = settings().max_examples if settings().max_examples >= 500 else max(5, settings().max_examples // 5)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(future=futures())
def test_what_is_received_later_changes_nothing_up_to_then(shop: Settings, future: tuple[datetime, Log, Log]) -> None:
    timestamp, log, changed = future
    assert_same_bits(built(shop, log).until(timestamp), built(shop, changed).until(timestamp))


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(log=rows_at(timestamps(0, 29), 1000).map(with_always))
def test_every_impression_is_one_training_row_and_slates_stay_whole(shop: Settings, log: Log) -> None:
    expected = sorted(log.impressions, key=lambda row: (row["shown_ts"], row["slate_id"], row["input_position"]))
    training = built(shop, log).training
    names = {"slate_id": "slate_id", "item_id": "item_id", "label": "label", "event_timestamp": "shown_ts"}
    assert training.select(list(names)).to_pylist() == [
        {ours: row[theirs] for ours, theirs in names.items()} for row in expected
    ]


LEAKS = {
    "item_windows": Mutation(item_windows, "d.day = g.midnight - INTERVAL 1 DAY", "d.day = g.midnight"),
    "item_attributes": Mutation(item_attributes, "grid.midnight > items", "grid.midnight + INTERVAL 1 DAY > items"),
}


@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("view", LEAKS)
def test_a_view_that_looks_a_day_ahead_is_caught(shop: Settings, view: str) -> None:
    @settings(max_examples=200, derandomize=True, database=None, phases=[Phase.generate], report_multiple_bugs=False)
    @given(future=futures())
    def property_of_the_road(future: tuple[datetime, Log, Log]) -> None:
        timestamp, log, changed = future
        assert_same_bits(built(shop, log).until(timestamp), built(shop, changed).until(timestamp))

    with mutated(LEAKS[view]), pytest.raises(AssertionError, match=f"{view} differs"):
        property_of_the_road()
