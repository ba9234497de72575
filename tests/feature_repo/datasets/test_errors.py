"""Several faults are one error with a line for each."""

from __future__ import annotations

from pathlib import Path

import pytest

from feature_repo.datasets.errors import BadSource, BadSources, DatasetError, raise_all


def test_one_fault_is_raised_itself_and_none_is_no_error() -> None:
    raise_all([])
    fault = BadSource(Path("a.csv"), "is empty")
    with pytest.raises(BadSource) as raised:
        raise_all([fault])
    assert raised.value is fault


def test_several_faults_have_a_line_each() -> None:
    with pytest.raises(BadSources) as raised:
        raise_all([BadSource(Path("a.csv"), "is empty"), DatasetError("no lists")])
    assert str(raised.value) == "2 problems:\n  a.csv: is empty\n  no lists"
