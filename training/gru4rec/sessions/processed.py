"""The output of preprocess: sessions as arrays of vocabulary indices, and the vocabulary.

train.parquet, val.parquet, test.parquet   session_id, item_id, item, ts; sorted by session, then time
vocab.json                                 the items of train, index by index, with their support in train
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from training.gru4rec.errors import SplitError

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
SplitName = Literal["train", "val", "test"]

VOCABULARY_FILE = "vocab.json"
SPLIT_FILE = "split.json"
SPLIT_SCHEMA = pa.schema(
    [
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("item", pa.int32(), nullable=False),
        pa.field("ts", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)


@dataclass(frozen=True)
class Sessions:
    """Sessions, concatenated in the order in which they are trained: by first event, or as in the file of a split.

    ``items``: (n,) vocabulary indices. ``starts``: (sessions + 1,), session i is items[starts[i]:starts[i + 1]].
    ``ts_us``: (n,) µs since the epoch, never decreasing within a session. Raises SplitError.
    """

    items: Ints
    starts: Longs
    ts_us: Longs

    def __post_init__(self) -> None:
        if len(self.starts) == 0 or self.starts[0] != 0 or self.starts[-1] != len(self.items):
            raise SplitError("starts must run from 0 to the number of events")
        if len(self.ts_us) != len(self.items):
            raise SplitError("items and ts_us differ in length")
        if len(self.starts) > 1 and np.diff(self.starts).min() < 1:
            raise SplitError("a session has no events")

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> Ints:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.items[self.starts[index] : self.starts[index + 1]]

    @cached_property
    def lengths(self) -> Longs:
        return np.diff(self.starts)


@dataclass(frozen=True)
class Vocabulary:
    """``items``: index -> id. ``counts``: (n_items,) number of events of each item in train. Raises SplitError."""

    items: tuple[str, ...]
    counts: Longs

    def __post_init__(self) -> None:
        if len(self.items) != len(self.counts):
            raise SplitError("items and counts differ in length")
        if len(self.index) != len(self.items):
            raise SplitError("an item id occurs twice")

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def index(self) -> dict[str, int]:
        return {item: i for i, item in enumerate(self.items)}

    def save(self, folder: Path) -> None:
        part = folder / f".{VOCABULARY_FILE}.part"
        part.write_text(json.dumps({"items": self.items, "counts": self.counts.tolist()}))
        part.replace(folder / VOCABULARY_FILE)

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Raises SplitError, which names the file."""
        path = folder / VOCABULARY_FILE
        try:
            found = json.loads(path.read_text())
            return cls(tuple(map(str, found["items"])), np.array(found["counts"], np.int64))
        except OSError as error:
            raise SplitError(f"{path} cannot be read ({error.strerror}): run preprocess first") from error
        except (ValueError, KeyError, TypeError, SplitError) as error:
            raise SplitError(f"{path} is not a vocabulary: {error}") from error


def load_split(folder: Path, name: SplitName) -> Sessions:
    """The sessions of ``name`` in ``folder``. Raises SplitError, which names the file."""
    path = folder / f"{name}.parquet"
    try:
        found = pq.read_table(path, columns=["session_id", "item", "ts"], memory_map=True)
    except OSError as error:
        raise SplitError(f"{path} cannot be read ({error.strerror or error}): run preprocess first") from error
    except (pa.ArrowException, KeyError) as error:
        raise SplitError(f"{path} is not a split: {error}") from error
    ids = found["session_id"].combine_chunks().dictionary_encode()
    session = np.asarray(ids.indices) if found.num_rows else np.empty(0, np.int32)
    first = np.flatnonzero(np.diff(session, prepend=-1)).astype(np.int64)
    if len(first) != len(ids.dictionary):
        raise SplitError(f"{path}: the rows of a session are not contiguous")
    try:
        return Sessions(
            np.asarray(found["item"].combine_chunks(), np.int32),
            np.append(first, found.num_rows),
            found["ts"].combine_chunks().cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy(),
        )
    except (pa.ArrowException, ValueError) as error:
        raise SplitError(f"{path} is not a split: {error}") from error
