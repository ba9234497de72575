"""The benchmark's own promises, on a few rows: what is compared is equal, and every figure is there."""

from __future__ import annotations

import pytest

from benchmarks.materialization.__main__ import measure, table

PROMISED = {
    "rows_per_s",
    "rewrite_rows_per_s",
    "feast_rows_per_s",
    "server_only_rows_per_s",
    "peak_bytes_per_row",
    "feast_peak_bytes_per_row",
}


@pytest.mark.slow
def test_both_sides_leave_the_same_in_redis_and_every_figure_is_there() -> None:
    figures = measure(rows=1_500, repeats=1)
    for view in (figures, figures["mixed"]):
        assert view["equal"]
        assert view["rows"] == 1_500
        assert all(view[name] > 0 for name in PROMISED)
    assert len(table(figures).splitlines()) == 1 + len(figures) - 1
