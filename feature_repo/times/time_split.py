"""Split of slates by time into train, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

SPLITS = ("train", "validation", "test")
TIMES = ("validation_start", "test_start")
TRAIN_SHARE, VALIDATION_SHARE = 0.70, 0.15
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadSplit(ValueError):
    """The timestamps of the split are malformed or out of order."""


@dataclass(frozen=True)
class TimeSplit:
    """Slates before ``validation_us`` are train, slates from ``test_us`` on are test (µs since the epoch)."""

    validation_us: int
    test_us: int

    def __post_init__(self) -> None:
        if self.validation_us > self.test_us:
            raise BadSplit("validation_start must not be after test_start")

    def timestamps(self) -> dict[str, str]:
        """The split in the form of the parameters."""
        return {
            "validation_start": (EPOCH + timedelta(microseconds=self.validation_us)).isoformat(),
            "test_start": (EPOCH + timedelta(microseconds=self.test_us)).isoformat(),
        }

    def of(self, shown_us: npt.NDArray[np.int64]) -> npt.NDArray[np.str_]:
        """(n,) name of the split of each slate."""
        return np.array(SPLITS)[np.digitize(shown_us, (self.validation_us, self.test_us))]


def time_split(params: dict[str, Any] | None, shown_us: npt.NDArray[np.int64]) -> TimeSplit:
    """The configured timestamps; by default the 70 % and 85 % quantiles of the slates' timestamps.

    Slates with equal timestamps are in the same split. Raises BadSplit.
    """
    if params and any(name in params for name in TIMES):
        try:
            return TimeSplit(*(_micros(params[name]) for name in TIMES))
        except (KeyError, TypeError, ValueError) as error:
            raise BadSplit(f"the parameters, split: {error}") from error
    ordered = np.sort(shown_us)
    cut = [ordered[int(len(ordered) * share)] for share in (TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE)]
    return TimeSplit(int(cut[0]), int(cut[1]))


def _micros(text: str) -> int:
    timestamp = datetime.fromisoformat(text)
    if timestamp.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return round((timestamp - EPOCH).total_seconds() * 1e6)
