"""The timestamp that buyers and recommendations are asked about."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from feature_repo.build.__main__ import BUILD_FILE
from infra.settings import Settings
from training.candidates.known_log import log_reaches


class BadTime(ValueError):
    """The features or the log do not reach the timestamp."""


def asked_time(settings: Settings, at: datetime | None) -> datetime:
    """``at`` in UTC, by default the newest midnight of the features. Raises BadTime or DatasetError.

    What is later than both the features and the log is refused: the day before it would be missing from both.
    """
    path = settings.features_dir / BUILD_FILE
    try:
        newest = datetime.fromisoformat(json.loads(path.read_text())["until"]).astimezone(UTC)
    except (OSError, KeyError, ValueError) as error:
        raise BadTime(f"{path} cannot be read ({error}): run `python -m feature_repo.build`") from error
    if at is None:
        return newest
    known = max(newest, log_reaches(settings))
    if at > known:
        raise BadTime(f"{at.isoformat()} is after what is known, the log and the features: {known.isoformat()}")
    return at.astimezone(UTC)
