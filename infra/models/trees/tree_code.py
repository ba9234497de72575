"""A forest as machine code: straight lines of vector comparisons, written as LLVM IR.

Sixteen rows lie side by side in one vector per feature. A tree evaluates all its splits for them without a
branch, from the leaves to the root, each split choosing between the leaf numbers of its two sides; then the
leaf's double is added to the row's score. Trees are added one after another from 0.0, as LightGBM adds them and
in the same doubles, so the scores are LightGBM's bit for bit: ties stay ties, and no order changes.

Thresholds, leaf numbers and leaves are read through pointers, so that the code holds no address to relocate.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from infra.models.ranker import Floats
from infra.models.trees.forest import TINY, ZERO_IS_MISSING, Forest, Tree
from infra.models.trees.machine_code import compiled

ROWS = 16  # side by side: one AVX-512 register of float32; LLVM cuts it up for smaller ones
ENTRY = "forest"  # (rows, scores, blocks, bounds, leaf numbers, leaves)
PACK = "pack"  # (columns, floats from one to the next, rows, blocks): from columns to the rows that ENTRY reads
_FLOATS, _INTS, _DOUBLES = (f"<{ROWS} x {kind}>" for kind in ("float", "i32", "double"))
_FLAGS = f"<{ROWS} x i1>"
_TABLES = "ptr {0}%bounds, ptr {0}%numbers, ptr {0}%leaves"


def bounds_of(forest: Forest) -> Floats:
    """The table that the code compares with: minus TINY, TINY, then every tree's bounds."""
    return np.concatenate([np.array([-TINY, TINY], np.float32), *(tree.bound for tree in forest.trees)])


def llvm_ir(forest: Forest) -> str:
    lines: list[str] = []
    split = 2
    for k, tree in enumerate(forest.trees):
        lines += _tree(k, tree, split)
        split += len(tree.feature)
    lines += [*_forest(forest), *_pack(forest.features)]
    lines.append('attributes #0 = { nounwind noinline "prefer-vector-width"="512" }')
    return "\n".join(lines)


def _forest(forest: Forest) -> Iterator[str]:
    """Tree by tree over all blocks of rows: a tree's code stays in the instruction cache."""
    yield f"define void @{ENTRY}(ptr %rows, ptr %scores, i64 %blocks, {_TABLES.format('')}) #0 {{"
    yield "start:\n  br label %tree0"
    split, leaf = 2, 0
    for k, tree in enumerate(forest.trees):
        yield f"tree{k}:"
        yield f"  %i{k} = phi i64 [0, %{f'tree{k - 1}' if k else 'start'}], [%j{k}, %tree{k}]"
        yield f"  %ro{k} = mul i64 %i{k}, {forest.features * ROWS}"
        yield f"  %r{k} = getelementptr float, ptr %rows, i64 %ro{k}"
        yield f"  %so{k} = mul i64 %i{k}, {ROWS}\n  %s{k} = getelementptr double, ptr %scores, i64 %so{k}"
        yield f"  %b{k} = getelementptr float, ptr %bounds, i64 {split}"
        yield f"  %l{k} = getelementptr double, ptr %leaves, i64 {leaf}"
        split, leaf = split + len(tree.feature), leaf + len(tree.leaves)
        yield f"  call void @tree_{k}(ptr %r{k}, ptr %s{k}, ptr %b{k}, ptr %numbers, ptr %l{k})"
        yield f"  %j{k} = add i64 %i{k}, 1\n  %m{k} = icmp ult i64 %j{k}, %blocks"
        yield f"  br i1 %m{k}, label %tree{k}, label %tree{k + 1}"
    yield f"tree{len(forest.trees)}:\n  ret void\n}}"


def _pack(features: int) -> Iterator[str]:
    """Feature by feature, as the columns lie in memory."""
    yield f"define void @{PACK}(ptr noalias readonly %columns, i64 %stride, ptr noalias %rows, i64 %blocks) #0 {{"
    yield f"start:\n  %some = icmp ne i64 {features}, 0\n  br i1 %some, label %column, label %done"
    yield "column:\n  %f = phi i64 [0, %start], [%f.next, %column.end]\n  %f.next = add i64 %f, 1"
    yield "  %from.i = mul i64 %f, %stride\n  %from = getelementptr float, ptr %columns, i64 %from.i"
    yield f"  %to.i = mul i64 %f, {ROWS}\n  %to = getelementptr float, ptr %rows, i64 %to.i\n  br label %block"
    yield "block:\n  %b = phi i64 [0, %column], [%b.next, %block]\n  %b.next = add i64 %b, 1"
    yield f"  %x.i = mul i64 %b, {ROWS}\n  %x.p = getelementptr float, ptr %from, i64 %x.i"
    yield f"  %y.i = mul i64 %b, {features * ROWS}\n  %y.p = getelementptr float, ptr %to, i64 %y.i"
    yield f"  %x = load {_FLOATS}, ptr %x.p, align 4\n  store {_FLOATS} %x, ptr %y.p, align 64"
    yield "  %more = icmp ult i64 %b.next, %blocks\n  br i1 %more, label %block, label %column.end"
    yield f"column.end:\n  %again = icmp ult i64 %f.next, {features}\n  br i1 %again, label %column, label %done"
    yield "done:\n  ret void\n}"


def _tree(k: int, tree: Tree, first_split: int) -> Iterator[str]:
    """Adds the tree to one block; ``%bounds`` and ``%leaves`` begin with its own, so that all it names is near.

    It has no loop, from which LLVM would hoist every constant onto the stack.
    """
    yield f"define private void @tree_{k}(ptr noalias readonly %x, ptr noalias %scores, " + (
        _TABLES.format("noalias readonly ") + ") #0 {"
    )
    for feature in sorted(set(tree.feature.tolist())):
        yield f"  %xp{feature} = getelementptr float, ptr %x, i64 {feature * ROWS}"
        yield f"  %x{feature} = load {_FLOATS}, ptr %xp{feature}, align 64"
    if (tree.missing == ZERO_IS_MISSING).any():
        yield from _spread("low", "float", "bounds", -first_split)
        yield from _spread("high", "float", "bounds", 1 - first_split)
    for number in range(len(tree.leaves)):
        yield from _spread(f"leaf{number}", "i32", "numbers", number)
    for i in reversed(range(len(tree.feature))):  # children come after their parents
        yield from _spread(f"b{i}", "float", "bounds", i)
        yield from _goes_left(tree, i)
        left, right = (f"{_INTS} {_value(int(side[i]))}" for side in (tree.left, tree.right))
        yield f"  %n{i} = select {_FLAGS} %goes{i}, {left}, {right}"
    yield from _add_leaves(_value(0 if len(tree.feature) else ~0))


def _goes_left(tree: Tree, i: int) -> Iterator[str]:
    """``%goes{i}``. An unordered comparison is true of NaN."""
    x, nan_left = f"%x{tree.feature[i]}", bool(tree.nan_left[i])
    compare = f"fcmp {'ule' if nan_left else 'ole'} {_FLOATS} {x}, %b{i}"
    if tree.missing[i] != ZERO_IS_MISSING or nan_left == bool(tree.threshold[i] >= 0):
        yield f"  %goes{i} = {compare}"
        return
    # Zero is sent to the other side than its value would be.
    yield f"  %c{i} = {compare}"
    yield f"  %above{i} = fcmp oge {_FLOATS} {x}, %low\n  %below{i} = fcmp ole {_FLOATS} {x}, %high"
    yield f"  %zero{i} = and {_FLAGS} %above{i}, %below{i}"
    if nan_left:
        yield f"  %goes{i} = or {_FLAGS} %c{i}, %zero{i}"
    else:
        yield f"  %not{i} = xor {_FLAGS} %zero{i}, splat (i1 true)\n  %goes{i} = and {_FLAGS} %c{i}, %not{i}"


def _add_leaves(numbers: str) -> Iterator[str]:
    """One load per row: gather instructions are slow, or made slow by microcode, on many processors."""
    so_far = "poison"
    for j in range(ROWS):
        yield f"  %e{j} = extractelement {_INTS} {numbers}, i32 {j}"
        yield f"  %p{j} = getelementptr double, ptr %leaves, i32 %e{j}"
        yield f"  %d{j} = load double, ptr %p{j}\n  %v{j} = insertelement {_DOUBLES} {so_far}, double %d{j}, i32 {j}"
        so_far = f"%v{j}"
    yield f"  %old = load {_DOUBLES}, ptr %scores, align 64\n  %new = fadd {_DOUBLES} %old, {so_far}"
    yield f"  store {_DOUBLES} %new, ptr %scores, align 64\n  ret void\n}}"


def _spread(name: str, kind: str, table: str, at: int) -> Iterator[str]:
    """``%name``: one number of a table in every lane."""
    vector = f"<{ROWS} x {kind}>"
    yield f"  %{name}.p = getelementptr {kind}, ptr %{table}, i64 {at}\n  %{name}.s = load {kind}, ptr %{name}.p"
    yield f"  %{name}.v = insertelement {vector} poison, {kind} %{name}.s, i64 0"
    yield f"  %{name} = shufflevector {vector} %{name}.v, {vector} poison, {_INTS} zeroinitializer"


def _value(child: int) -> str:
    return f"%n{child}" if child >= 0 else f"%leaf{~child}"


def object_code(forest: Forest) -> bytes:
    """An object file for this machine. Raises ImportError without llvmlite."""
    return compiled(llvm_ir(forest))
