"""How Feast stores an entity's features in Redis: one hash per entity, one field per feature, one ``_ts`` per view."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from struct import pack

import numpy as np
from feast import ValueType
from feast.infra.key_encoding_utils import serialize_entity_key_prefix
from numpy.typing import NDArray

from feature_repo.definitions.view import View
from feature_repo.online.redis_format.entity_keys import SERIALIZATION_VERSION
from feature_repo.online.rows import event_field, feature_field
from serving.redis_client.connection import bulk


@dataclass(frozen=True)
class HashLayout:
    """Reads some views of one entity with one HMGET per key.

    A reply holds the event timestamps of all ``views``, then their columns, view by view.
    """

    views: tuple[View, ...]
    before: bytes  # the part of a key before the id's length
    after: bytes  # the part of a key after the id
    fields: bytes  # the fields of the HMGET, in the protocol's form
    words: int

    def commands(self, ids: Sequence[str]) -> bytes:
        """One HMGET per id, in the protocol's form."""
        head = b"*%d\r\n$5\r\nHMGET\r\n$" % self.words
        before, tail = self.before, self.after + b"\r\n" + self.fields
        fixed = len(self.before) + 4 + len(self.after)
        parts: list[bytes] = []
        for item_id in ids:
            raw = item_id.encode()
            size = len(raw)
            parts += (head, b"%d\r\n" % (fixed + size), before, size.to_bytes(4, "little"), raw, tail)
        return b"".join(parts)

    def times(self, event_us: Mapping[str, NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        """The event timestamps of these views, out of those of all views."""
        return [event_us[view.name] for view in self.views]

    @property
    def pattern(self) -> bytes:
        """The pattern for SCAN that matches the keys of all projects."""
        return re.sub(rb"([*?\[\]\\])", rb"\\\1", self.before) + b"*"

    def id_of(self, key: bytes) -> str | None:
        """The id in ``key``; None for another project's key."""
        start = len(self.before) + 4
        end = start + int.from_bytes(key[start - 4 : start], "little")
        return key[start:end].decode() if key.startswith(self.before) and key[end:] == self.after else None


def hash_layout(views: tuple[View, ...], project: str) -> HashLayout:
    """``views`` are of one entity, whose only join key is a string."""
    (join_key,) = {view.join_key for view in views}
    names = [event_field(view.name) for view in views]
    names += [feature_field(view.name, column.name) for view in views for column in view.columns]
    return HashLayout(
        views=views,
        before=serialize_entity_key_prefix([join_key], SERIALIZATION_VERSION) + pack("<I", ValueType.STRING.value),
        after=project.encode(),
        fields=bulk(names),
        words=len(names) + 2,
    )
