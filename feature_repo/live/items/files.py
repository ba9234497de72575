"""The files of accepted changes (see :mod:`feature_repo.live.accepted_files`), the same for all data sets.

    <live_dir>/items/day=2026-11-21/<first>_<last>.parquet

columns, texts: names and values of all attributes after the change. Their types are those of the data set's declaration
when they are read (:mod:`feature_repo.live.items.versions`).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from feature_repo.live.accepted_files import AcceptedFiles
from feature_repo.live.items.change import AcceptedChange
from feature_repo.schema import TIMESTAMP

_TEXTS = pa.list_(pa.string())
SCHEMA = pa.schema(
    [
        pa.field("change_id", pa.string(), False),
        pa.field("item_id", pa.string(), False),
        pa.field("received_ts", TIMESTAMP, False),
        pa.field("changed", _TEXTS, False),
        pa.field("columns", _TEXTS, False),
        pa.field("texts", _TEXTS, False),
    ]
)


def _row(received_us: int, accepted: AcceptedChange) -> dict[str, Any]:
    change, row = accepted.change, dict(sorted(accepted.row.items()))
    return {
        "change_id": change.change_id,
        "item_id": change.item_id,
        "received_ts": received_us,
        "changed": sorted(change.values),
        "columns": list(row),
        "texts": list(row.values()),
    }


ITEM_CHANGES = AcceptedFiles("items", SCHEMA, _row)
