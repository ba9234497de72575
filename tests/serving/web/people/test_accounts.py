"""Accounts in a real database; every time is passed, so nothing waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from serving.web.database import Database
from serving.web.people.accounts import AccountRefused, Accounts, TooManyAttempts

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "shop")


@pytest.fixture
def accounts(database: Database) -> Accounts:
    made = Accounts(database, QUICK)
    made.register("Ann", PASSWORD, NOW)
    return made


def log_in(accounts: Accounts, password: str, after_s: float = 0, name: str = "ann", address: str = "here") -> str:
    return accounts.log_in(name, password, address, NOW + timedelta(seconds=after_s))


def fail(accounts: Accounts, times: int, name: str = "ann", address: str = "here") -> None:
    for _ in range(times):
        with pytest.raises(AccountRefused, match="No account"):
            log_in(accounts, "wrong password", name=name, address=address)


def test_a_password_is_stored_as_its_argon2_hash_only(accounts: Accounts, database: Database) -> None:
    ((name, stored),) = database.rows("SELECT name, password_hash FROM accounts")
    assert name == "ann"
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored
    assert log_in(accounts, PASSWORD) == "member-ann"


def test_a_hash_made_with_other_costs_is_made_anew_at_the_next_log_in(accounts: Accounts, database: Database) -> None:
    stronger = Accounts(database, PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    assert log_in(stronger, PASSWORD) == "member-ann"
    ((stored,),) = database.rows("SELECT password_hash FROM accounts")
    assert ",t=2," in stored


@pytest.mark.parametrize(
    ("name", "password"), [("ann", PASSWORD), ("x", PASSWORD), ("a b c", PASSWORD), ("bob", "short")]
)
def test_a_taken_or_unfit_account_is_refused(accounts: Accounts, name: str, password: str) -> None:
    with pytest.raises(AccountRefused):
        accounts.register(name, password, NOW)


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_after_four_failures_also_the_right_password_waits_whether_or_not_the_name_exists(accounts, name):
    fail(accounts, 4, name)
    with pytest.raises(TooManyAttempts) as refused:
        log_in(accounts, PASSWORD, name=name)
    assert refused.value.wait_s == 2


def test_each_failure_doubles_the_wait(accounts: Accounts) -> None:
    fail(accounts, 4)
    with pytest.raises(AccountRefused, match="No account"):
        log_in(accounts, "wrong password", after_s=2)
    with pytest.raises(TooManyAttempts):
        log_in(accounts, PASSWORD, after_s=2 + 3.9)
    assert log_in(accounts, PASSWORD, after_s=2 + 4) == "member-ann"
    fail(accounts, 4)  # counted from none again


def test_one_address_that_tries_many_names_waits_and_another_does_not(accounts: Accounts) -> None:
    for number in range(20):
        fail(accounts, 1, f"name{number}")
    with pytest.raises(TooManyAttempts):
        log_in(accounts, PASSWORD)
    assert log_in(accounts, PASSWORD, address="elsewhere") == "member-ann"
