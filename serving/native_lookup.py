"""The rows of a slate, found and copied in one call of machine code, where the index and numpy take a dozen steps.

The hash of an id is where CPython keeps it, in the string itself (:mod:`serving.python_objects`), once reading the
request has asked for it. Whatever the code cannot read or does not find, it leaves to the index, and so is everything
where strings lie otherwise or llvmlite is missing.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from infra.models.trees.machine_code import MachineCode, compiled, filled
from serving import python_objects
from serving.item_cache.id_index import BITS, SLOTS, IdIndex
from serving.item_cache.item_block import ALWAYS, Bounds

LINE = 64  # bytes of a cache line

_IR = """
declare i8 @llvm.cttz.i8(i8, i1)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)

define i64 @lookup(ptr %ids, ptr noalias readonly %hashes, ptr noalias readonly %rows, i64 %mask,
                   ptr noalias readonly %block, ptr noalias %found, ptr noalias %taken, ptr noalias %bounds) {
start:
  %length.p = getelementptr i8, ptr %ids, i64 {LENGTH}
  %n = load i64, ptr %length.p
  %items.p = getelementptr i8, ptr %ids, i64 {ITEMS}
  %items = load ptr, ptr %items.p
  %some = icmp ne i64 %n, 0
  br i1 %some, label %read, label %end

read:  ; the hashes, and the buckets are on their way
  %a = phi i64 [0, %start], [%a.next, %read]
  %bad = phi i1 [false, %start], [%bad.next, %read]
  %id.p = getelementptr ptr, ptr %items, i64 %a
  %id = load ptr, ptr %id.p
  %type.p = getelementptr i8, ptr %id, i64 {TYPE}
  %type = load i64, ptr %type.p
  %is.other = icmp ne i64 %type, {STR}
  %hash.at = select i1 %is.other, i64 0, i64 {HASH}
  %hash.p = getelementptr i8, ptr %id, i64 %hash.at
  %hash = load i64, ptr %hash.p
  %is.unknown = icmp eq i64 %hash, -1
  %bad.id = or i1 %is.other, %is.unknown
  %bad.next = or i1 %bad, %bad.id
  %kept.p = getelementptr i64, ptr %found, i64 %a
  store i64 %hash, ptr %kept.p
  %a.bucket = and i64 %hash, %mask
  %a.slot = shl i64 %a.bucket, {BITS}
  %a.hashes = getelementptr i64, ptr %hashes, i64 %a.slot
  call void @llvm.prefetch.p0(ptr %a.hashes, i32 0, i32 3, i32 1)
  %a.rows = getelementptr i32, ptr %rows, i64 %a.slot
  call void @llvm.prefetch.p0(ptr %a.rows, i32 0, i32 3, i32 1)
  %a.next = add i64 %a, 1
  %a.more = icmp ult i64 %a.next, %n
  br i1 %a.more, label %read, label %judge

judge:  ; an id that is no plain string, or whose hash nobody has asked for
  br i1 %bad.next, label %missing, label %find

find:  ; the row of each, and the rows are on their way
  %i = phi i64 [0, %judge], [%i.next, %find]
  %all = phi i1 [true, %judge], [%all.next, %find]
  %f.p = getelementptr i64, ptr %found, i64 %i
  %f.hash = load i64, ptr %f.p
  %bucket = and i64 %f.hash, %mask
  %first = shl i64 %bucket, {BITS}
  %slots.p = getelementptr i64, ptr %hashes, i64 %first
  %slots = load <{SLOTS} x i64>, ptr %slots.p, align 8
  %wanted.1 = insertelement <{SLOTS} x i64> poison, i64 %f.hash, i64 0
  %wanted = shufflevector <{SLOTS} x i64> %wanted.1, <{SLOTS} x i64> poison, <{SLOTS} x i32> zeroinitializer
  %same = icmp eq <{SLOTS} x i64> %slots, %wanted
  %bits = bitcast <{SLOTS} x i1> %same to i8
  %is.kept = icmp ne i8 %bits, 0
  %all.next = and i1 %all, %is.kept
  %place.8 = call i8 @llvm.cttz.i8(i8 %bits, i1 false)
  %place.7 = and i8 %place.8, {LAST}
  %place = zext i8 %place.7 to i64
  %slot = or i64 %first, %place
  %row.p = getelementptr i32, ptr %rows, i64 %slot
  %row.32 = load i32, ptr %row.p
  %row = sext i32 %row.32 to i64
  store i64 %row, ptr %f.p
  %row.at = mul i64 %row, {SIZE}
  %row.start = getelementptr i8, ptr %block, i64 %row.at
{PREFETCH}
  %i.next = add i64 %i, 1
  %i.more = icmp ult i64 %i.next, %n
  br i1 %i.more, label %find, label %found.all

found.all:
  br i1 %all.next, label %copy, label %missing

missing:
  ret i64 0

copy:
  %c = phi i64 [0, %found.all], [%c.next, %copy]
  %to = phi ptr [%taken, %found.all], [%to.next, %copy]
  %since = phi i64 [0, %found.all], [%since.next, %copy]
  %until = phi i64 [{ALWAYS}, %found.all], [%until.next, %copy]
  %without = phi i64 [0, %found.all], [%without.next, %copy]
  %c.p = getelementptr i64, ptr %found, i64 %c
  %c.row = load i64, ptr %c.p
  %c.at = mul i64 %c.row, {SIZE}
  %from = getelementptr i8, ptr %block, i64 %c.at
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %to, ptr align 8 %from, i64 {SIZE}, i1 false)
  %valid.p = getelementptr i8, ptr %from, i64 {VALID}
  %first.us = load i64, ptr %valid.p
  %last.p = getelementptr i8, ptr %valid.p, i64 8
  %last.us = load i64, ptr %last.p
  %since.next = call i64 @llvm.smax.i64(i64 %since, i64 %first.us)
  %until.next = call i64 @llvm.smin.i64(i64 %until, i64 %last.us)
  %has.none = icmp sle i64 %first.us, 0
  %none = zext i1 %has.none to i64
  %without.next = add i64 %without, %none
  %to.next = getelementptr i8, ptr %to, i64 {SIZE}
  %c.next = add i64 %c, 1
  %c.more = icmp ult i64 %c.next, %n
  br i1 %c.more, label %copy, label %end

end:
  %b.since = phi i64 [0, %start], [%since.next, %copy]
  %b.until = phi i64 [{ALWAYS}, %start], [%until.next, %copy]
  %b.without = phi i64 [0, %start], [%without.next, %copy]
  store i64 %b.since, ptr %bounds
  %until.p = getelementptr i64, ptr %bounds, i64 1
  store i64 %b.until, ptr %until.p
  %without.p = getelementptr i64, ptr %bounds, i64 2
  store i64 %b.without, ptr %without.p
  ret i64 1
}
"""

log = logging.getLogger(__name__)


class Taken(NamedTuple):
    """``rows``: (n,) where they stand, until the next call; ``copy``: (n,) of them, with their bounds."""

    rows: NDArray[np.int64]
    copy: NDArray[np.void]
    bounds: Bounds


class NativeLookup:
    """Of the ids in ``index``, which are there by Python's own hash, and the rows of ``block``.

    Both must be the same objects as long as it is used: where they are, the code knows. Not for threads.
    """

    def __init__(self, code: LookupCode, index: IdIndex, block: NDArray[np.void]) -> None:
        self._code = code
        self._tables = (index.hashes, index.rows, block)  # the code has their addresses
        self._where = (index.hashes.ctypes.data, index.rows.ctypes.data, index.mask, block.ctypes.data)
        self._dtype = block.dtype
        self._reserve(0)

    def take(self, ids: Sequence[str]) -> Taken | None:
        """The rows of all ``ids``; None where one of them is not there, or cannot be read."""
        if type(ids) is not list:
            return None
        n = len(ids)
        if n > len(self._rows):
            self._reserve(n)
        copy = np.empty(n, self._dtype)
        bounds, rows = self._results
        if not self._code.call(id(ids), *self._where, rows, copy.ctypes.data, bounds):
            return None
        since_us, until_us, without = self._bounds.tolist()
        return Taken(self._rows[:n], copy, (since_us, until_us, without))

    def _reserve(self, n: int) -> None:
        self._bounds, self._rows = np.empty(3, np.int64), np.empty(n, np.int64)
        self._results = (self._bounds.ctypes.data, self._rows.ctypes.data)


class LookupCode:
    """For rows of ``dtype``, of :class:`serving.item_cache.item_block.ItemColumns`. Raises whatever prevents it."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        if not python_objects.layout_is_known():
            raise RuntimeError("this Python lays strings and lists out in another way")
        self._code = MachineCode(compiled(_text(dtype)))
        pointer, number = ctypes.c_void_p, ctypes.c_int64
        # The interpreter's lock is kept: nobody may change the list meanwhile, and it takes microseconds.
        form = ctypes.PYFUNCTYPE(number, pointer, pointer, pointer, number, pointer, pointer, pointer, pointer)
        self.call = form(self._code.address("lookup"))


@lru_cache(maxsize=16)  # data sets
def lookup_code(dtype: np.dtype[np.void]) -> LookupCode | None:
    """None where there is none to be had, and numpy has to do it."""
    try:
        return LookupCode(dtype)
    except Exception as error:
        log.info("items are looked up without machine code: %s", error)
        return None


def _text(dtype: np.dtype[np.void]) -> str:
    assert dtype.fields is not None
    ahead = (
        f"  %line.{at} = getelementptr i8, ptr %row.start, i64 {at}\n"
        f"  call void @llvm.prefetch.p0(ptr %line.{at}, i32 0, i32 3, i32 1)"
        for at in range(0, dtype.itemsize, LINE)
    )
    values: dict[str, object] = {
        "TYPE": python_objects.TYPE,
        "HASH": python_objects.HASH,
        "LENGTH": python_objects.LENGTH,
        "ITEMS": python_objects.ITEMS,
        "STR": id(str),
        "BITS": BITS,
        "SLOTS": SLOTS,
        "LAST": SLOTS - 1,
        "SIZE": dtype.itemsize,
        "VALID": dtype.fields["valid_us"][1],
        "ALWAYS": ALWAYS,
        "PREFETCH": "\n".join(ahead),
    }
    return filled(_IR, values)
