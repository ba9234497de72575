"""The ``items`` of an answer as JSON: a list of any length in two calls, one for the numbers and one for all the rest.

orjson writes the scores, and machine code puts them and the ids between the words that are the same in every item: an
object per item takes longer than the numbers do. It takes ids of ASCII without control characters below 32, quotes and
backslashes, which JSON has as they are. A list with another id, and any where there is no machine code, is written as
objects by msgspec.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import numpy as np
import orjson

from infra.models.trees.machine_code import MachineCode, compiled, filled
from serving import python_objects
from serving.score.answers import ScoreAnswer
from serving.score.ranking import Ranking
from serving.score.score_schema import MAX_TEXT_LENGTH

OPEN, BETWEEN, CLOSE = b'{"item_id":"', b'","score":', b"},"
LONGEST_NUMBER = 40  # a double has up to 17 digits, a point, a sign and an exponent
ROOM = 1_000  # items, at first

_IR = """
define i64 @items(ptr %ids, ptr noalias readonly %order, i64 %n, ptr noalias readonly %scores, ptr noalias %text) {
start:
  %items.p = getelementptr i8, ptr %ids, i64 {ITEMS}
  %items = load ptr, ptr %items.p
  store i8 91, ptr %text
  %text.1 = getelementptr i8, ptr %text, i64 1
  %scores.1 = getelementptr i8, ptr %scores, i64 1
  br label %item

item:
  %i = phi i64 [0, %start], [%i.next, %after]
  %to = phi ptr [%text.1, %start], [%to.next, %after]
  %score = phi ptr [%scores.1, %start], [%score.next, %after]
  %place.p = getelementptr i64, ptr %order, i64 %i
  %place = load i64, ptr %place.p
  %id.p = getelementptr ptr, ptr %items, i64 %place
  %id = load ptr, ptr %id.p
  %type.p = getelementptr i8, ptr %id, i64 {TYPE}
  %type = load i64, ptr %type.p
  %is.text = icmp eq i64 %type, {STR}
  br i1 %is.text, label %judge, label %refuse

judge:
  %state.p = getelementptr i8, ptr %id, i64 {STATE}
  %state = load i32, ptr %state.p
  %bits = and i32 %state, {PLAIN}
  %has.bits = icmp eq i32 %bits, {PLAIN}
  %length.p = getelementptr i8, ptr %id, i64 {LENGTH}
  %length = load i64, ptr %length.p
  %rest = sub i64 %length, 1
  %is.short = icmp ult i64 %rest, {LONGEST}
  %is.plain = and i1 %has.bits, %is.short
  br i1 %is.plain, label %open, label %refuse

open:
{OPEN}
  %to.id = getelementptr i8, ptr %to, i64 {OPEN.LENGTH}
  %from = getelementptr i8, ptr %id, i64 {TEXT}
  br label %letter

letter:
  %k = phi i64 [0, %open], [%k.next, %letter]
  %odd = phi i1 [false, %open], [%odd.next, %letter]
  %k.from = getelementptr i8, ptr %from, i64 %k
  %c = load i8, ptr %k.from
  %k.to = getelementptr i8, ptr %to.id, i64 %k
  store i8 %c, ptr %k.to
  %is.control = icmp ult i8 %c, 32
  %is.quote = icmp eq i8 %c, 34
  %is.backslash = icmp eq i8 %c, 92
  %odd.1 = or i1 %is.control, %is.quote
  %odd.2 = or i1 %odd.1, %is.backslash
  %odd.next = or i1 %odd, %odd.2
  %k.next = add i64 %k, 1
  %k.more = icmp ult i64 %k.next, %length
  br i1 %k.more, label %letter, label %between

between:
  br i1 %odd.next, label %refuse, label %number

number:
  %to.between = getelementptr i8, ptr %to.id, i64 %length
{BETWEEN}
  %to.score = getelementptr i8, ptr %to.between, i64 {BETWEEN.LENGTH}
  br label %digit

digit:
  %d = phi i64 [0, %number], [%d.next, %digit]
  %d.from = getelementptr i8, ptr %score, i64 %d
  %digit.c = load i8, ptr %d.from
  %d.to = getelementptr i8, ptr %to.score, i64 %d
  store i8 %digit.c, ptr %d.to
  %is.comma = icmp eq i8 %digit.c, 44
  %is.bracket = icmp eq i8 %digit.c, 93
  %is.end = or i1 %is.comma, %is.bracket
  %d.next = add i64 %d, 1
  br i1 %is.end, label %after, label %digit

after:
  %score.next = getelementptr i8, ptr %score, i64 %d.next
  %to.close = getelementptr i8, ptr %to.score, i64 %d
{CLOSE}
  %to.next = getelementptr i8, ptr %to.close, i64 {CLOSE.LENGTH}
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, %n
  br i1 %i.more, label %item, label %end

refuse:
  ret i64 0

end:  ; a bracket where the last comma is
  %comma.p = getelementptr i8, ptr %to.next, i64 -1
  store i8 93, ptr %comma.p
  %first = ptrtoint ptr %text to i64
  %last = ptrtoint ptr %to.next to i64
  %written = sub i64 %last, %first
  ret i64 %written
}
"""

log = logging.getLogger(__name__)


class ItemsCode:
    """Raises whatever prevents it when it is made, which takes a moment."""

    def __init__(self) -> None:
        if not python_objects.layout_is_known():
            raise RuntimeError("this Python lays strings and lists out in another way")
        self._code = MachineCode(compiled(_text()))
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        # The interpreter's lock is kept: nobody may change the list meanwhile, and it takes microseconds.
        form = ctypes.PYFUNCTYPE(number, pointer, pointer, number, pointer, pointer)
        self.call = form(self._code.address("items"))


class ItemsWriter:
    """Not for threads."""

    def __init__(self, code: ItemsCode) -> None:
        self._code = code
        self._reserve(ROOM)

    def write(self, ranking: Ranking) -> bytes | None:
        """A list of ScoredItem; None where an id is not to be written as it is."""
        ids, order = ranking.item_ids, ranking.order
        n = len(order)
        if type(ids) is not list or len(ids) != n or not n:
            return None
        if n > self._room:
            self._reserve(n)
        scores = orjson.dumps(ranking.scores.take(order), option=orjson.OPT_SERIALIZE_NUMPY)
        length = self._code.call(id(ids), order.ctypes.data, n, scores, self._address)
        return self._buffer[:length].tobytes() if length else None

    def _reserve(self, items: int) -> None:
        self._room = items
        longest = len(OPEN) + MAX_TEXT_LENGTH + len(BETWEEN) + LONGEST_NUMBER + len(CLOSE)
        self._buffer = np.empty(1 + items * longest, np.uint8)
        self._address = self._buffer.ctypes.data


def encoder() -> Callable[[ScoreAnswer], bytes]:
    """Writes answers to ``/score``; not for threads. The first takes a moment to be made."""
    code = items_code()
    writer = None if code is None else ItemsWriter(code)

    def items(ranking: Any) -> Any:
        text = None if writer is None else writer.write(ranking)
        return ranking.listed() if text is None else msgspec.Raw(text)

    return msgspec.json.Encoder(enc_hook=items).encode


@cache
def items_code() -> ItemsCode | None:
    """None where there is none to be had, and msgspec has to do it."""
    try:
        return ItemsCode()
    except Exception as error:
        log.info("answers are written without machine code: %s", error)
        return None


def _text() -> str:
    values: dict[str, object] = {
        "TYPE": python_objects.TYPE,
        "LENGTH": python_objects.LENGTH,
        "ITEMS": python_objects.ITEMS,
        "STATE": python_objects.STATE,
        "TEXT": python_objects.TEXT,
        "PLAIN": python_objects.plain_bits(),
        "STR": id(str),
        "LONGEST": MAX_TEXT_LENGTH,
    }
    for name, (at, words) in {
        "OPEN": ("to", OPEN),
        "BETWEEN": ("to.between", BETWEEN),
        "CLOSE": ("to.close", CLOSE),
    }.items():
        values[name], values[f"{name}.LENGTH"] = "\n".join(_stored(at, words)), len(words)
    return filled(_IR, values)


def _stored(at: str, words: bytes) -> list[str]:
    """``words`` to where ``%at`` points, in as few pieces as there are."""
    lines, start = [], 0
    while start < len(words):
        size = next(size for size in (8, 4, 2, 1) if start + size <= len(words))
        number = int.from_bytes(words[start : start + size], "little")
        lines.append(f"  %{at}.{start}.p = getelementptr i8, ptr %{at}, i64 {start}")
        lines.append(f"  store i{8 * size} {number}, ptr %{at}.{start}.p, align 1")
        start += size
    return lines
