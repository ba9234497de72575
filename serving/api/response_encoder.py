"""Writes the answer to ``/score`` as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from serving.score.ranking import Ranking


def _plain(value: Any) -> Any:
    """What msgspec does not know by itself: the list of an answer."""
    assert isinstance(value, Ranking)
    return value.listed()


encode_score = msgspec.json.Encoder(enc_hook=_plain).encode
