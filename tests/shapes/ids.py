"""Ids as text, whatever type a file or an import gave them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Texts = npt.NDArray[np.str_]
USER, SESSION, TIME = "u:", "s:", "t:"  # what an id of ``Truth.who`` names


def texts(values: Iterable[Any]) -> list[str]:
    """Each value as text: nothing where it is missing, ``17850.0`` as ``17850``."""
    return [_text(value) for value in values]


def named(kind: str, values: Iterable[Any]) -> Texts:
    """The ids of users, sessions or times as they stand in ``Truth.who``."""
    return np.array([kind + text for text in texts(values)], dtype=np.str_)


def _text(value: Any) -> str:
    if value is None or value != value:  # NaN and NaT differ from themselves
        return ""
    text = str(value)
    return text[:-2] if text.endswith(".0") and text[:-2].isdecimal() else text
