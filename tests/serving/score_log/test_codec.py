"""Records are decoded as they were encoded, wherever the bytes are cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.live.score_records import ScoreRecord
from serving.score_log.codec import Frames, frame

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
numbers = st.floats(width=32) | st.none()


@st.composite
def records(draw):
    ids = draw(st.lists(texts, min_size=1, max_size=5, unique=True))
    features = draw(st.integers(0, 3))
    read = np.array(draw(st.lists(st.integers(0, 2**62), min_size=2 * len(ids), max_size=2 * len(ids))), np.int64)
    return ScoreRecord(
        request_id=draw(texts),
        scored_us=draw(st.integers(0, 2**62)),
        clock="wall",
        item_ids=ids,
        scores=np.array(draw(st.lists(st.floats(), min_size=len(ids), max_size=len(ids)))),
        model_name=draw(texts),
        model_version="1",
        contract_hash="hash",
        degraded=draw(st.booleans()),
        user_id=draw(st.none() | texts),
        session_id=draw(st.none() | texts),
        context=draw(st.dictionaries(texts, st.none() | texts, max_size=2)),
        read_us={
            f"view{j}": read.reshape(-1, 2)[:, j] for j in range(2)
        },  # not contiguous, like the columns of a reading
        sent=draw(st.lists(st.tuples(st.integers(0, 4), st.dictionaries(texts, numbers, max_size=2)), max_size=2)),
        kind=draw(st.sampled_from(["score", "recommend"])),
        answered=draw(st.lists(texts, max_size=2)),
        removed=draw(st.dictionaries(texts, st.integers(0, 9), max_size=2)),
        explored=draw(st.lists(st.tuples(texts, st.floats(0, 1)), max_size=2)),
        matrix=draw(st.none() | st.just(np.arange(len(ids) * features, dtype=np.float32).reshape(len(ids), -1))),
    )


def plain(record):
    """For comparison: arrays as their bytes, values as their text."""
    return replace(
        record,
        scores=record.scores.tobytes(),
        read_us={view: times.tobytes() for view, times in record.read_us.items()},
        sent=[(position, {name: repr(value) for name, value in sent.items()}) for position, sent in record.sent],
        matrix=None if record.matrix is None else (record.matrix.shape, record.matrix.tobytes()),
    )


@given(st.lists(records(), max_size=4), st.integers(1, 400))
def test_every_record_comes_out_as_it_went_in(sent, piece):
    stream = b"".join(frame(each) for each in sent)
    frames = Frames()
    pieces = [stream[start : start + piece] for start in range(0, len(stream), piece)]
    found = [record for data in pieces for record in frames.feed(data)]
    assert [plain(each) for each in found] == [plain(each) for each in sent]


def test_a_string_that_is_not_valid_unicode_is_refused():
    record = ScoreRecord("r", 0, "wall", ["a"], np.zeros(1), "m", "1", "hash", False, user_id="\ud800")
    with pytest.raises(ValueError, match="surrogates"):
        frame(record)
