"""Finding and copying the rows of a slate in machine code: what :mod:`serving.id_index` and numpy do in a dozen steps.

The hash of each id is where CPython keeps it, in the string itself, since reading the request needed it already. What
the code reads of strings and lists is compared with what Python says of them before it is compiled for the first
time; where that differs, or llvmlite is missing, nothing is compiled. Whatever the code does not find, or cannot read,
is left to the index, so that a slate costs either one call or the steps of before.
"""

from __future__ import annotations

import ctypes
import logging
import sys
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from infra.tree_code import target_machine
from serving.id_index import BITS, SLOTS, IdIndex

TYPE, HASH = 8, 24  # where a string keeps its type and its hash, which is -1 until somebody asks for it
LENGTH, ITEMS = 16, 24  # where a list keeps its length and the address of its items
ALWAYS = np.iinfo(np.int64).max
UNREADABLE = -1  # an id that is no plain string, or whose hash is not known yet
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
  %hash.p = getelementptr i8, ptr %id, i64 {HASH}
  %hash = load i64, ptr %hash.p
  %is.other = icmp ne i64 %type, {STR}
  %is.unknown = icmp eq i64 %hash, -1
  %bad.id = or i1 %is.other, %is.unknown
  %bad.next = or i1 %bad, %bad.id
  %kept.p = getelementptr i64, ptr %found, i64 %a
  store i64 %hash, ptr %kept.p
  %a.bucket = and i64 %hash, %mask
  %a.slot = shl i64 %a.bucket, {BITS}
  %a.hashes = getelementptr i64, ptr %hashes, i64 %a.slot
  call void @llvm.prefetch.p0(ptr %a.hashes, i32 0, i32 3, i32 1)
  %a.rows = getelementptr i64, ptr %rows, i64 %a.slot
  call void @llvm.prefetch.p0(ptr %a.rows, i32 0, i32 3, i32 1)
  %a.next = add i64 %a, 1
  %a.more = icmp ult i64 %a.next, %n
  br i1 %a.more, label %read, label %judge

judge:
  br i1 %bad.next, label %unreadable, label %find

unreadable:
  ret i64 {UNREADABLE}

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
  %row.p = getelementptr i64, ptr %rows, i64 %slot
  %row = load i64, ptr %row.p
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
    """``rows``: (n,) where they stand, until the next call; ``copy``: (n,) of them; bounds as of ItemBlock."""

    rows: NDArray[np.int64]
    copy: NDArray[np.void]
    bounds: tuple[int, int, int]


class NativeLookup:
    """Of the ids in ``index`` and the rows of ``block``, which must stay as large as they are. Not for threads."""

    def __init__(self, code: Any, index: IdIndex, block: NDArray[np.void]) -> None:
        self._code = code
        self._dtype = block.dtype
        self._tables = (index.hashes, index.rows, block)  # kept, since the code has their addresses
        self._where = (index.hashes.ctypes.data, index.rows.ctypes.data, index.mask, block.ctypes.data)
        self._scratch = np.empty(0, np.int64)

    def take(self, ids: Any) -> Taken | None:
        """The rows of all ``ids``; None where one of them is not found, or cannot be read."""
        n = len(ids)
        if type(ids) is not list:
            return None
        if len(self._scratch) < n + 3:
            self._scratch = np.empty(n + 3, np.int64)
            self._scratch_at = self._scratch.ctypes.data
        taken = np.empty(n, self._dtype)
        at = self._scratch_at
        if self._code(id(ids), *self._where, at + 24, taken.ctypes.data, at) != 1:
            return None
        since, until, without = self._scratch[:3].tolist()
        return Taken(self._scratch[3 : n + 3], taken, (since, until, without))


@lru_cache(maxsize=16)
def lookup_code(size: int, valid: int) -> Any:
    """For rows of ``size`` bytes that keep at ``valid`` from when to when they count. None where it cannot be had."""
    try:
        if not _layout_is_known():
            raise RuntimeError("this Python keeps strings in another way")
        return _compiled(size, valid)
    except Exception as error:  # numpy can do it
        log.info("items are looked up without machine code: %s", error)
        return None


def _compiled(size: int, valid: int) -> Any:
    from llvmlite import binding

    ahead = (
        f"  %line.{k} = getelementptr i8, ptr %row.start, i64 {k}\n"
        f"  call void @llvm.prefetch.p0(ptr %line.{k}, i32 0, i32 3, i32 1)"
        for k in range(0, size, LINE)
    )
    text = _IR
    values = {"SIZE": size, "VALID": valid, "STR": id(str), "LAST": SLOTS - 1, "PREFETCH": "\n".join(ahead)}
    for name in ("TYPE", "HASH", "LENGTH", "ITEMS", "ALWAYS", "UNREADABLE", "BITS", "SLOTS"):
        values[name] = globals()[name]
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", str(value))
    machine = target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(machine.emit_object(binding.parse_assembly(text))))
    engine.finalize_object()
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    form = ctypes.PYFUNCTYPE(number, pointer, pointer, pointer, number, pointer, pointer, pointer, pointer)
    code = form(engine.get_function_address("lookup"))
    code.engine = engine  # owns it
    return code


def _layout_is_known() -> bool:
    """Whether strings and lists are laid out as the code reads them."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    texts = ["", "a", "item1", "é", "日本", "x" * 100, "\U0001f600"]
    hashes = [hash(text) for text in texts]
    at = _number_at(id(texts) + ITEMS)
    return (
        _number_at(id(texts) + LENGTH) == len(texts)
        and [_number_at(at + 8 * i) for i in range(len(texts))] == [id(text) for text in texts]
        and [_number_at(id(text) + TYPE) for text in texts] == [id(str)] * len(texts)
        and [_number_at(id(text) + HASH) for text in texts] == hashes
    )


def _number_at(address: int) -> int:
    return ctypes.c_int64.from_address(address).value
