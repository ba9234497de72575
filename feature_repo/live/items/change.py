"""An accepted change of an item. Its values are texts, which every stage reads alike and to the last bit.

Money is in units with two decimals, a float32 has the shortest text of its float64, an integer is decimal, None is
null.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from feature_repo.schema import DType

Texts = dict[str, str | None]
"""Column -> value as text."""


class ItemChange(msgspec.Struct, frozen=True, kw_only=True):
    """``values``: what it sets."""

    change_id: str
    item_id: str
    values: Texts


class AcceptedChange(msgspec.Struct, frozen=True):
    """``row``: all attributes of the item after the change, as they are served."""

    change: ItemChange
    row: Texts


packed = msgspec.json.Encoder().encode
_change, _texts = msgspec.json.Decoder(ItemChange), msgspec.json.Decoder(Texts)


def unpacked(change: bytes, row: bytes) -> AcceptedChange:
    """Raises msgspec.MsgspecError."""
    return AcceptedChange(_change.decode(change), _texts.decode(row))


def unpacked_texts(content: bytes) -> Texts:
    """Raises msgspec.MsgspecError."""
    return _texts.decode(content)


def text_of(value: Any, dtype: DType) -> str | None:
    """``value``: of a column of this type. A number too large for float32 becomes infinity."""
    if value is None:
        return None
    if dtype is DType.MONEY:
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        return f"{exact + 0:.2f}"  # without the sign of zero, which a decimal of the log has not
    if dtype is DType.FLOAT32:
        return repr(float(np.float32(value)))
    return str(int(value)) if dtype is DType.INT64 else str(value)


def value_of(text: str | None, dtype: DType) -> Any:
    """The value for the feature store, where money is a float, too. Raises ValueError."""
    if text is None:
        return None
    if dtype in (DType.MONEY, DType.FLOAT32):
        return float(text)
    return int(text) if dtype is DType.INT64 else text


def values_of(row: Mapping[str, str | None], dtypes: Mapping[str, DType]) -> dict[str, Any]:
    """The values of the columns ``dtypes``; one that ``row`` does not have is null. Raises ValueError."""
    return {name: value_of(row.get(name), dtype) for name, dtype in dtypes.items()}
