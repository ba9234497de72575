"""Numbers for item ids, so that sources work on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Codes: TypeAlias = npt.NDArray[np.int32]

UNKNOWN = -1
ITEMS_FILE = "items.parquet"


class ItemCodes:
    """The items that the sources were fitted on. The code of an id is its position in ``ids``.

    ids: (n,) distinct strings in sorted order
    """

    def __init__(self, ids: pa.Array) -> None:
        self.ids = ids.cast(pa.string())
        self._codes: dict[str, int] = {item: code for code, item in enumerate(self.ids.to_pylist())}

    @staticmethod
    def of_ids(ids: Sequence[str]) -> ItemCodes:
        """Of ids in any order, some perhaps twice."""
        return ItemCodes(pa.array(sorted(set(ids)), pa.string()))

    def __len__(self) -> int:
        return len(self.ids)

    def code(self, item_id: str) -> int:
        return self._codes.get(item_id, UNKNOWN)

    def encode(self, ids: Sequence[str]) -> Codes:
        """(n,) codes of (n,) ids, UNKNOWN where the id is not known."""
        get = self._codes.get
        return np.fromiter((get(each, UNKNOWN) for each in ids), np.int32, len(ids))

    def encode_arrow(self, ids: pa.Array) -> Codes:
        """The same for an Arrow array of strings."""
        found = pc.index_in(ids, value_set=self.ids)
        return np.array(pc.fill_null(found, UNKNOWN).to_numpy(zero_copy_only=False), dtype=np.int32)

    def decode(self, codes: Codes) -> list[str]:
        """(n,) ids of (n,) codes, all of them known."""
        found: list[str] = self.ids.take(pa.array(codes)).to_pylist()
        return found

    def save(self, folder: Path) -> None:
        pq.write_table(pa.table({"item_id": self.ids}), folder / ITEMS_FILE)

    @staticmethod
    def load(folder: Path) -> ItemCodes:
        return ItemCodes(pq.read_table(folder / ITEMS_FILE)["item_id"].combine_chunks())
