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

from feature_repo.definitions.keys import Key
from feature_repo.definitions.view import View
from feature_repo.online.redis_format.entity_keys import SERIALIZATION_VERSION
from feature_repo.online.rows import event_field, feature_field
from serving.redis_client.connection import bulk

_STRING = pack("<I", ValueType.STRING.value)


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


@dataclass(frozen=True)
class KeyedLayout:
    """As HashLayout, of the views of one tuple of join keys."""

    views: tuple[View, ...]
    order: tuple[int, ...]  # of the parts of a key: by the names of the join keys
    prefix: bytes
    project: bytes
    fields: bytes
    words: int

    @staticmethod
    def of(views: tuple[View, ...], project: str) -> KeyedLayout:
        """``views`` have the same join keys, all strings."""
        (names,) = {view.join_keys for view in views}
        order = tuple(sorted(range(len(names)), key=lambda i: names[i]))
        fields = _field_names(views)
        prefix = serialize_entity_key_prefix([names[i] for i in order], SERIALIZATION_VERSION)
        return KeyedLayout(views, order, prefix, project.encode(), bulk(fields), len(fields) + 2)

    def commands(self, keys: Sequence[Key]) -> bytes:
        """One HMGET per key, in the protocol's form."""
        head = b"*%d\r\n$5\r\nHMGET\r\n" % self.words
        return b"".join(part for key in keys for part in (head, bulk([self._redis_key(key)]), self.fields))

    def _redis_key(self, key: Key) -> bytes:
        parts = [key[i].encode() for i in self.order]
        return self.prefix + b"".join(_STRING + pack("<I", len(part)) + part for part in parts) + self.project


def hash_layout(views: tuple[View, ...], project: str) -> HashLayout:
    """``views`` are of one entity, whose only join key is a string."""
    (join_key,) = {view.join_key for view in views}
    names = _field_names(views)
    return HashLayout(
        views=views,
        before=serialize_entity_key_prefix([join_key], SERIALIZATION_VERSION) + _STRING,
        after=project.encode(),
        fields=bulk(names),
        words=len(names) + 2,
    )


def _field_names(views: Sequence[View]) -> list[bytes]:
    names = [event_field(view.name) for view in views]
    return names + [feature_field(view.name, column.name) for view in views for column in view.columns]
