from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from serving.web.database import Database
from serving.web.people.visits import LASTS, Visits

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def visits(tmp_path: Path) -> Visits:
    return Visits(Database(tmp_path), tmp_path)


def test_a_visit_is_found_by_its_cookie_until_it_ends(visits: Visits) -> None:
    visit = visits.begin(NOW, "log_user", "u", {"store_id": "7"})
    cookie = visits.cookie(visit)
    assert visits.find(cookie, NOW) == visit
    assert visits.find(cookie, NOW + LASTS - timedelta(seconds=1)) == visit
    assert visits.find(cookie, NOW + LASTS) is None
    visits.end(visit)
    assert visits.find(cookie, NOW) is None


def test_a_cookie_that_was_not_signed_here_is_no_visit(visits: Visits, tmp_path: Path) -> None:
    visit = visits.begin(NOW, "guest")
    cookie = visits.cookie(visit)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert Visits(Database(tmp_path), elsewhere).find(cookie, NOW) is None  # the same visits, another key
    for bad in ("", visit.visit_id, f"{cookie[:-1]}{'A' if cookie[-1] != 'A' else 'Q'}", cookie[1:], "é.é", None):
        assert visits.find(bad, NOW) is None


def test_a_new_visit_shares_nothing_with_the_one_before(visits: Visits) -> None:
    one, two = visits.begin(NOW, "guest"), visits.begin(NOW, "guest")
    for name in ("visit_id", "token", "user_id", "session_id"):
        assert getattr(one, name) != getattr(two, name)


def test_only_the_owner_can_read_the_key_and_a_damaged_one_is_not_used(visits: Visits, tmp_path: Path) -> None:
    path = tmp_path / "cookie.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"short")
    with pytest.raises(RuntimeError, match="5 bytes"):
        Visits(Database(tmp_path), tmp_path)
