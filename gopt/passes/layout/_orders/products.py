"""Products of matrices: leading axes in any order, and the factors exchanged where rows become columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .... import ops
from ....ir import DType, Op, Value
from ....rewrite import Numerics, Rewriter
from .perms import Perm, rank_of
from .way import Build, Held, Orders, Way, carrier, turned

_SWAP = (1, 0)
_GEMM_TYPES = (DType.FLOAT, DType.DOUBLE, DType.FLOAT16)


@carrier("MatMul")
def matmul(op: Op, value: Value, perm: Perm) -> Way | None:
    """(A B)^T = B^T A^T; a matrix on the right multiplies wherever else the axes of the left operand stand."""
    a, b = op.inputs
    ranks = rank_of(a), rank_of(b)
    if a is None or b is None or a is b or ranks[0] is None or ranks[1] is None or min(ranks[0], ranks[1]) < 2:
        return None
    if ranks == (2, 2):
        return _as_gemm(op, a, b, value) or _matrix_on_right(op, a, b, perm, value)
    if ranks[1] == 2:
        return _matrix_on_right(op, a, b, perm, value)
    if ranks[0] == 2:
        return _matrix_on_left(op, a, b, perm, value)
    return _batched(op, a, b, perm) if ranks[0] == ranks[1] == len(perm) else None


def _as_gemm(op: Op, a: Value, b: Value, value: Value) -> Way | None:
    """A Gemm takes either factor as it is, and gives either product."""
    if Rewriter.dtype(a) not in _GEMM_TYPES or op.opset < 11:
        return None
    if value is op.result:
        return _way({value: _SWAP}, lambda rw, held: [rw.Gemm(b, a, transA=1, transB=1, name=op.name)])
    if value is a:
        return _way({a: _SWAP}, lambda rw, held: [rw.Gemm(held(a), b, transA=1, name=op.name)])
    return _way({b: _SWAP}, lambda rw, held: [rw.Gemm(a, held(b), transB=1, name=op.name)])


def _matrix_on_right(op: Op, x: Value, w: Value, perm: Perm, value: Value) -> Way | None:
    inner = len(perm) - 1
    if value is w:
        return None
    if perm[-1] == inner:
        return _one(op, x, perm, lambda rw, held: [rw.MatMul(turned(rw, held, x, perm), w, name=op.name)])
    if perm[-2] != inner:
        return None
    return _one(
        op,
        x,
        perm,
        lambda rw, held: [rw.MatMul(turned(rw, held, w, _SWAP), turned(rw, held, x, perm), name=op.name)],
        w,
    )


def _matrix_on_left(op: Op, w: Value, x: Value, perm: Perm, value: Value) -> Way | None:
    inner = len(perm) - 2
    if value is w:
        return None
    if perm[-2] == inner:
        return _one(op, x, perm, lambda rw, held: [rw.MatMul(w, turned(rw, held, x, perm), name=op.name)])
    if perm[-1] != inner:
        return None
    return _one(
        op,
        x,
        perm,
        lambda rw, held: [rw.MatMul(turned(rw, held, x, perm), turned(rw, held, w, _SWAP), name=op.name)],
        w,
    )


def _batched(op: Op, a: Value, b: Value, perm: Perm) -> Way | None:
    rank = len(perm)
    if set(perm[-2:]) != {rank - 2, rank - 1}:
        return None
    swapped = perm[-1] != rank - 1

    def build(rw: Rewriter, held: Held) -> Sequence[Value | None]:
        first, second = turned(rw, held, a, perm), turned(rw, held, b, perm)
        return [rw.MatMul(*((second, first) if swapped else (first, second)), name=op.name)]

    return _one(op, a, perm, build, b, perm)


@carrier("Gemm")
def gemm(op: Op, value: Value, perm: Perm) -> Way | None:
    """Factors may be transposed as they are, and (A B + C)^T = B^T A^T + C^T."""
    if len(op.inputs) < 2 or op.opset < 7 or len(perm) != 2 or Rewriter.dtype(op.result) not in _GEMM_TYPES:
        return None
    a, b = op.inputs[:2]
    c = op.input(2)
    if a is None or b is None or a is b or c in (a, b):
        return None
    flags = {name: int(bool(ops.attribute(op, name))) for name in ("transA", "transB")}
    scales = {name: ops.attribute(op, name) for name in ("alpha", "beta")}
    if value in (a, b):
        flags["transA" if value is a else "transB"] ^= 1
        return _way(
            {value: _SWAP},
            lambda rw, held: [
                rw.Gemm(*(held(v) if v is value else v for v in (a, b)), c, name=op.name, **scales, **flags)
            ],
        )
    if value is not op.result:
        return None
    orders = Orders()
    orders.put(value, _SWAP)
    if c is not None and c.const is None:
        if rank_of(c) != 2:
            return None
        orders.put(c, _SWAP)
    swapped = {"transA": 1 - flags["transB"], "transB": 1 - flags["transA"]}
    return _way(
        orders.found,
        lambda rw, held: [rw.Gemm(b, a, _addend(rw, held, c), name=op.name, **scales, **swapped)],
    )


def _addend(rw: Rewriter, held: Held, c: Value | None) -> Value | None:
    if c is None or c.const is None:
        return None if c is None else held(c)
    array = c.const.numpy()
    turned_array = array.reshape((1,) * (2 - array.ndim) + array.shape).T
    return rw.const(np.ascontiguousarray(turned_array), name=c.name)


def _one(
    op: Op, x: Value, perm: Perm, build: Build, other: Value | None = None, other_perm: Perm = _SWAP
) -> Way | None:
    """A way that holds an operand and the result in one order, and another operand perhaps in its own."""
    if rank_of(x) != len(perm) or rank_of(op.result) != len(perm):
        return None
    orders = Orders()
    orders.put(x, perm)
    orders.put(op.result, perm)
    orders.put(other, other_perm)
    return _way(orders.found, build) if orders.ok else None


def _way(orders: dict[Value, Perm], build: Build) -> Way:
    return Way(orders, build, numerics=Numerics.ROUNDING)
