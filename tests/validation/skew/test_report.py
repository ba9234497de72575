"""Counts and examples of comparisons made by hand, and the two reports."""

import re

import numpy as np
import pytest

from feature_repo.definitions.view import Feature
from feature_repo.live.score_records import ScoreRecord
from validation.skew.comparison import EQUAL, NAMES, Comparison
from validation.skew.findings import Findings
from validation.skew.report import markdown, page, write_report

FEATURES = (Feature("price", "item_attributes", ""), Feature("a|b<i>", "derived", ""))
LATE, UNKNOWN, TTL = (NAMES.index(name) for name in ("late data", "unknown", "ttl"))


def comparison(request_id, causes):
    online = np.array([[1.5, np.nan], [2.5, 7.0]], np.float32)
    record = ScoreRecord(request_id, 10**15, "fixed", ["i1", "i2"], np.zeros(2), "m", "1", "h", False, matrix=online)
    return Comparison(FEATURES, record, np.zeros((2, 2), np.float32), np.array(causes, np.int8))


@pytest.fixture
def findings():
    found = Findings.of("shop", FEATURES)
    found.add(comparison("r1", [[LATE, EQUAL], [EQUAL, EQUAL]]))
    found.add(comparison("r2", [[LATE, UNKNOWN], [LATE, TTL]]))
    return found


def test_values_are_counted_by_feature_and_cause(findings):
    price, other = findings.features
    assert (price.compared, price.equal, price.different, price.unexplained) == (4, 1, 3, 0)
    assert (other.compared, other.equal, other.different, other.unexplained) == (4, 2, 2, 2)
    assert (findings.requests, findings.compared, findings.different, findings.unexplained) == (2, 8, 5, 2)
    assert findings.causes == {"late data": 3, "unknown": 1, "ttl": 1}


def test_the_first_example_of_each_cause_is_stored(findings):
    example = findings.features[0].examples["late data"]
    assert (example.request_id, example.item_id, example.online, example.offline) == ("r1", "i1", 1.5, 0.0)
    assert findings.features[1].examples["ttl"].item_id == "i2"


def test_markdown_shows_the_worst_feature_first_and_every_example(findings):
    text = markdown(findings)
    assert "2 requests, 8 values: 5 differ, 2 of them unexplained" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert "| a\\|b<i> | derived | 4 | 2 | 2 | 2 | ttl 1, unknown 1 |" in rows
    assert rows.index("| a\\|b<i> | derived | 4 | 2 | 2 | 2 | ttl 1, unknown 1 |") < rows.index(
        "| price | item_attributes | 4 | 1 | 3 | 0 | late data 3 |"
    )
    assert "| price | late data | r1 | i1 | 1.5 | 0.0 |" in rows
    assert "| a\\|b<i> | unknown | r2 | i1 | nan | 0.0 |" in rows


def test_the_page_escapes_data_and_loads_no_other_file(findings):
    text = page(findings)
    assert "a|b&lt;i&gt;" in text
    assert "<i>" not in text
    assert not re.search(r"https?://|src=|href=", text)


def test_a_report_replaces_an_older_one_and_leaves_other_files_unchanged(findings, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for _ in range(2):
        path = write_report(findings, tmp_path)
    assert path.read_text() == markdown(findings)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["index.html", "mine.txt", "skew.md"]
