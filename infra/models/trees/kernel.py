"""The one compiled function, which reads any forest as tables. Needs llvmlite (extra `fast`).

LANES rows stand side by side. For each tree the kernel goes over the splits from the last to the first, which is the
root. At each it chooses, per row, between the leaf numbers of the two sides: children stand after their parents, so
their leaf numbers are already known. The root's row of numbers gives the leaf to add to each row's score. There is no
branch on data. Trees are added one after another from 0.0, in doubles, as LightGBM adds them: equal bit for bit.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from infra.models.arrays import Doubles, Floats
from infra.models.trees.columns import LANES, aligned
from infra.models.trees.forest import MAX_LEAVES
from infra.models.trees.tables import Tables

OPTIMIZATION = 1  # 2 takes longer and gives the same speed

IR = f"""
define void @score(ptr noalias %x, i64 %blocks, i64 %block.bytes, ptr noalias %scores, ptr noalias %chosen,
                   i64 %trees, ptr noalias %sizes, ptr noalias %splits, ptr noalias %leaves) #0 {{
start:
  %some = icmp ne i64 %blocks, 0
  %any = icmp ne i64 %trees, 0
  %work = and i1 %some, %any
  br i1 %work, label %block, label %done

block:  ; LANES rows
  %b = phi i64 [0, %start], [%b.next, %block.end]
  %x.at = mul i64 %b, %block.bytes
  %x.block = getelementptr i8, ptr %x, i64 %x.at
  %scores.at = mul i64 %b, {LANES}
  %scores.block = getelementptr double, ptr %scores, i64 %scores.at
  br label %tree

tree:
  %t = phi i64 [0, %block], [%t.next, %tree.end]
  %tree.splits = phi ptr [%splits, %block], [%splits.next, %tree.end]
  %tree.leaves = phi ptr [%leaves, %block], [%leaves.next, %tree.end]
  %size.p = getelementptr i32, ptr %sizes, i64 %t
  %size.32 = load i32, ptr %size.p
  %size = zext i32 %size.32 to i64
  %is.leaf = icmp eq i64 %size, 0
  br i1 %is.leaf, label %add, label %split

split:  ; number i - 1 of the tree; %s points to its row of SPLIT: column, left, right, bound, 4 bytes each
  %i = phi i64 [%size, %tree], [%i.next, %split]
  %s = phi ptr [%tree.splits, %tree], [%s.next, %split]
  %i.next = sub i64 %i, 1
  %s.next = getelementptr i8, ptr %s, i64 16
  %left.p = getelementptr i8, ptr %s, i64 4
  %right.p = getelementptr i8, ptr %s, i64 8
  %bound.p = getelementptr i8, ptr %s, i64 12
  %column.at = load i32, ptr %s
  %left.at = load i32, ptr %left.p
  %right.at = load i32, ptr %right.p
  %bound = load float, ptr %bound.p
  %values.p = getelementptr i8, ptr %x.block, i32 %column.at
  %lefts.p = getelementptr i8, ptr %chosen, i32 %left.at
  %rights.p = getelementptr i8, ptr %chosen, i32 %right.at
  %values = load <{LANES} x float>, ptr %values.p, align 64
  %lefts = load <{LANES} x i8>, ptr %lefts.p, align 64
  %rights = load <{LANES} x i8>, ptr %rights.p, align 64
  %one = insertelement <{LANES} x float> poison, float %bound, i64 0
  %bounds = shufflevector <{LANES} x float> %one, <{LANES} x float> poison, <{LANES} x i32> zeroinitializer
  %goes.left = fcmp ole <{LANES} x float> %values, %bounds
  %leaf.numbers = select <{LANES} x i1> %goes.left, <{LANES} x i8> %lefts, <{LANES} x i8> %rights
  %to.at = mul i64 %i.next, {LANES}
  %to.p = getelementptr i8, ptr %chosen, i64 %to.at
  store <{LANES} x i8> %leaf.numbers, ptr %to.p, align 64
  %more.splits = icmp ne i64 %i.next, 0
  br i1 %more.splits, label %split, label %add

add:  ; the root's leaf numbers are those of split 0, or of leaf 0 where the tree is one leaf
  %splits.next = phi ptr [%tree.splits, %tree], [%s.next, %split]
  %root.at = phi i64 [{MAX_LEAVES * LANES}, %tree], [0, %split]
  %root = getelementptr i8, ptr %chosen, i64 %root.at
  br label %row

row:
  %j = phi i64 [0, %add], [%j.next, %row]
  %j.next = add i64 %j, 1
  %leaf.p = getelementptr i8, ptr %root, i64 %j
  %leaf.8 = load i8, ptr %leaf.p
  %leaf = zext i8 %leaf.8 to i64
  %value.p = getelementptr double, ptr %tree.leaves, i64 %leaf
  %value = load double, ptr %value.p
  %score.p = getelementptr double, ptr %scores.block, i64 %j
  %before = load double, ptr %score.p
  %after = fadd double %before, %value
  store double %after, ptr %score.p
  %more.rows = icmp ult i64 %j.next, {LANES}
  br i1 %more.rows, label %row, label %tree.end

tree.end:
  %leaf.count = add i64 %size, 1
  %leaves.next = getelementptr double, ptr %tree.leaves, i64 %leaf.count
  %t.next = add i64 %t, 1
  %more.trees = icmp ult i64 %t.next, %trees
  br i1 %more.trees, label %tree, label %block.end

block.end:
  %b.next = add i64 %b, 1
  %more.blocks = icmp ult i64 %b.next, %blocks
  br i1 %more.blocks, label %block, label %done

done:
  ret void
}}
attributes #0 = {{ nounwind "prefer-vector-width"="512" }}
"""


@dataclass(frozen=True)
class Kernel:
    """The compiled function. Any number of threads may call it at once."""

    function: Any  # a ctypes function; it runs without the interpreter's lock
    engine: Any  # llvmlite's; it owns the function's code

    def scores(self, tables: Tables, matrix: Floats) -> Doubles:
        """(n, f) float32 -> (n,) float64, the sums of the leaves. Raises ValueError for another f or dtype."""
        packed = tables.columns.packed(matrix)
        blocks, columns, _ = packed.shape
        scores: Doubles = aligned((blocks * LANES,), np.float64)
        scores.fill(0.0)
        chosen = aligned((2 * MAX_LEAVES, LANES), np.uint8)
        chosen[MAX_LEAVES:] = np.arange(MAX_LEAVES, dtype=np.uint8)[:, None]
        self.function(
            packed.ctypes.data,
            blocks,
            columns * LANES * packed.itemsize,
            scores.ctypes.data,
            chosen.ctypes.data,
            len(tables.sizes),
            tables.sizes.ctypes.data,
            tables.splits.ctypes.data,
            tables.leaves.ctypes.data,
        )
        return scores[: len(matrix)]


@cache
def kernel() -> Kernel:
    """Compiled for this processor at the first call, in about 10 ms. Raises ImportError without llvmlite."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_triple(binding.get_process_triple())
    machine = target.create_target_machine(
        cpu=binding.get_host_cpu_name(), features=_host_features(binding), opt=OPTIMIZATION
    )
    engine = binding.create_mcjit_compiler(binding.parse_assembly(IR), machine)
    engine.finalize_object()
    pointer, size = ctypes.c_void_p, ctypes.c_int64
    arguments = (pointer, size, size, pointer, pointer, size, pointer, pointer, pointer)
    return Kernel(ctypes.CFUNCTYPE(None, *arguments)(engine.get_function_address("score")), engine)


def _host_features(binding: Any) -> str:  # llvmlite has no type stubs
    try:
        features: str = binding.get_host_cpu_features().flatten()
    except RuntimeError:  # LLVM does not know some processors
        return ""
    return features
