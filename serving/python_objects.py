"""How CPython lays strings and lists out in memory, for machine code that reads them.

It is compared with what Python says of some of them before any such code is compiled; where it differs, none is.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence

TYPE = 8  # where an object keeps the address of its type
LENGTH = 16  # of a string, in characters, and of a list
HASH = 24  # of a string; -1 until somebody asks for it
ITEMS = 24  # where a list keeps the address of its items
STATE = 32  # where a string keeps what kind it is, in 32 bits
TEXT = sys.getsizeof("", 1) - 1  # where the characters of a plain string begin, a byte each
LEAST_ADDRESS = 1 << 16  # whatever else lies in a list is a small number, or the address of something


class _Name(str):
    """Keeps its characters elsewhere."""


_TEXTS = ["".join(parts) for parts in (["a", "b"], ["item", "1"], ["x"] * 100, [" ", "~"])]  # made here, not interned
_OTHERS = ["".join(parts) for parts in (["é", "b"], ["日", "本"], ["\U0001f600", "b"])]
_ELSEWHERE = [_Name(text) for text in _TEXTS]


def layout_is_known() -> bool:
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8 or sys.byteorder != "little":
        return False
    texts = ["", "a", *_TEXTS, *_OTHERS]
    hashes = [hash(text) for text in texts]
    at = _number(id(texts) + ITEMS)
    return (
        _number(id(texts) + LENGTH) == len(texts)
        and at >= LEAST_ADDRESS
        and [_number(at + 8 * i) for i in range(len(texts))] == [id(text) for text in texts]
        and [_number(id(text) + TYPE) for text in texts] == [id(str)] * len(texts)
        and [_number(id(text) + HASH) for text in texts] == hashes
        and [_number(id(text) + LENGTH) for text in texts] == [len(text) for text in texts]
        and [ctypes.string_at(id(text) + TEXT, len(text)) for text in _TEXTS] == [text.encode() for text in _TEXTS]
        and _only(_OTHERS).bit_count() == 1
        and _only(_ELSEWHERE).bit_count() == 1
    )


def plain_bits() -> int:
    """Of a string's state: what is set in those of ASCII characters that lie in the string itself, and only there."""
    return _only(_OTHERS) | _only(_ELSEWHERE)


def _only(others: Sequence[str]) -> int:
    """What all plain strings' states have, and none of the ``others``'."""
    mine, theirs = 0xFFFF_FFFF, 0
    for text in _TEXTS:
        mine &= _state(text)
    for text in others:
        theirs |= _state(text)
    return mine & ~theirs


def _number(address: int) -> int:
    return ctypes.c_int64.from_address(address).value


def _state(text: str) -> int:
    return ctypes.c_uint32.from_address(id(text) + STATE).value
