"""Accounts that visitors registered: a name and the Argon2 hash of a password.

Log-ins are counted by name and by address until they succeed, before the password is looked at, so that attempts at the
same time are counted too. After a few, each further one has to wait twice as long as the one before, whether or not the
name exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from infra.clock import epoch_us, timestamp_of
from serving.web.database import Database

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{2,29}")
PASSWORD_LENGTH = (8, 200)
FREE_BY_NAME, FREE_BY_ADDRESS = 4, 20  # attempts that need not wait; several people may share an address
FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=10)
FORGOTTEN_AFTER = timedelta(hours=1)


class AccountRefused(Exception):
    """The message is for the visitor."""


class TooManyAttempts(AccountRefused):
    """``wait_s``: until the next attempt is looked at."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"Too many attempts. Please wait {wait_s} seconds, then try again.")
        self.wait_s = wait_s


@dataclass(frozen=True)
class Attempts:
    """Log-ins that have not succeeded, by whatever is counted: a name, an address."""

    database: Database

    def wait_s(self, who: str, free: int, now: datetime) -> int:
        """Seconds to wait after ``free`` attempts; 0: it may be tried."""
        row = self.database.row("SELECT failures, last_us FROM attempts WHERE name = ?", who)
        if row is None or row[0] < free:
            return 0
        wait = min(FIRST_WAIT * 2 ** min(row[0] - free, 20), LONGEST_WAIT)
        left = max(timestamp_of(row[1]), now - LONGEST_WAIT) + wait - now
        return max(0, min(int(left.total_seconds() + 0.999), int(LONGEST_WAIT.total_seconds())))

    def begin(self, who: str, now: datetime) -> None:
        now_us, since_us = epoch_us(now), epoch_us(now - FORGOTTEN_AFTER)
        self.database.write(
            "INSERT INTO attempts VALUES (?, 1, ?) ON CONFLICT DO UPDATE SET "
            "failures = CASE WHEN last_us < ? THEN 1 ELSE failures + 1 END, last_us = excluded.last_us",
            who, now_us, since_us,
        )  # fmt: skip

    def forget(self, who: str) -> None:
        self.database.write("DELETE FROM attempts WHERE name = ?", who)

    def take_back(self, who: str) -> None:
        self.database.write("UPDATE attempts SET failures = failures - 1 WHERE name = ?", who)


class Accounts:
    """Hashing takes tens of milliseconds by design: call every method on a thread."""

    def __init__(self, database: Database, hasher: PasswordHasher | None = None) -> None:
        self._database = database
        self._hasher = hasher or PasswordHasher()
        self._attempts = Attempts(database)
        self._of_nobody = self._hasher.hash("compared with where there is no such account")

    def register(self, name: str, password: str, now: datetime) -> str:
        """The new account's user id. Raises AccountRefused."""
        name = name.strip().casefold()
        if not NAME.fullmatch(name):
            raise AccountRefused("A name has 3 to 30 letters, digits, dots, dashes or underscores.")
        low, high = PASSWORD_LENGTH
        if not low <= len(password) <= high:
            raise AccountRefused(f"A password has {low} to {high} characters.")
        made = self._database.write(
            "INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)", name, self._hasher.hash(password), epoch_us(now)
        )
        if not made:
            raise AccountRefused("This name is taken.")
        return _user_id(name)

    def log_in(self, name: str, password: str, address: str, now: datetime) -> str:
        """The account's user id. Raises AccountRefused, or TooManyAttempts before the password is looked at."""
        name = name.strip().casefold()[:100]
        by_name, by_address = f"name:{name}", f"address:{address}"
        wait_s = max(
            self._attempts.wait_s(by_name, FREE_BY_NAME, now), self._attempts.wait_s(by_address, FREE_BY_ADDRESS, now)
        )
        if wait_s:
            raise TooManyAttempts(wait_s)
        for who in (by_name, by_address):
            self._attempts.begin(who, now)
        row = self._database.row("SELECT password_hash FROM accounts WHERE name = ?", name)
        is_right = self._is_right(self._of_nobody if row is None else row[0], password[: PASSWORD_LENGTH[1]])
        if row is None or not is_right:
            raise AccountRefused("No account has this name and this password.")
        self._attempts.forget(by_name)
        self._attempts.take_back(by_address)
        if self._hasher.check_needs_rehash(row[0]):
            self._database.write(
                "UPDATE accounts SET password_hash = ? WHERE name = ?", self._hasher.hash(password), name
            )
        return _user_id(name)

    def _is_right(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False


def _user_id(name: str) -> str:
    return f"member-{name}"
