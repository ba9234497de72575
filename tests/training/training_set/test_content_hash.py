import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.training_set.content_hash import ContentHash

SCHEMA = pa.schema([("id", pa.string()), ("at", pa.timestamp("us", "UTC")), ("x", pa.float32()), ("n", pa.int32())])
ROWS = st.lists(
    st.tuples(
        st.none() | st.text(max_size=3),
        st.none() | st.integers(-9, 9),
        st.none() | st.floats(width=32),
        st.integers(0, 9),
    ),
    max_size=12,
)


def table(rows) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(SCHEMA)
    return pa.table([pa.array(c, field.type) for c, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def digest(*tables: pa.Table) -> str:
    content = ContentHash(SCHEMA)
    for part in tables:
        content.update(part)
    return content.hexdigest()


@given(ROWS, st.integers(0, 12))
def test_the_ends_of_chunks_have_no_effect(rows, cut):
    whole = table(rows)
    assert digest(whole) == digest(whole.slice(0, cut), whole.slice(cut))


def as_values(rows):
    return [tuple("nan" if isinstance(v, float) and np.isnan(v) else v for v in row) for row in rows]


@given(ROWS, ROWS)
def test_tables_that_differ_have_different_hashes(one, other):
    # -0.0 == 0.0, but the hash must differ
    same = repr(as_values(one)) == repr(as_values(other))
    assert (digest(table(one)) == digest(table(other))) == same


def test_texts_are_not_simply_concatenated():
    assert digest(table([("ab", 1, 1.0, 1), ("c", 1, 1.0, 1)])) != digest(table([("a", 1, 1.0, 1), ("bc", 1, 1.0, 1)]))


def test_every_nan_is_the_same():
    odd = np.array([0x7FC00001], np.uint32).view(np.float32)
    plain = table([("a", 1, float("nan"), 1)])
    assert digest(plain) == digest(plain.set_column(2, SCHEMA.field("x"), pa.array(odd)))


def test_another_schema_is_refused():
    with pytest.raises(ValueError, match="expected"):
        ContentHash(SCHEMA).update(pa.table({"id": ["a"]}))
