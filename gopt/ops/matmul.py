"""Matrix products: MatMul, Gemm, their integer forms, Einsum, Det."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..ir import Array, Dim, DType, Op, Shape, Symbol, TensorType, Type
from .evaluate import Call, NoKernel
from .numeric import widened
from .registry import define, kernel, shape_rule
from .shapes import broadcast, broadcast_dims, tensor
from .sizes import merge
from .view import attribute


def matmul_shape(a: Shape | None, b: Shape | None) -> Shape | None:
    """The shape of a product as numpy's matmul has it.

    Raises:
        ValueError: the operands do not fit.
    """
    if a is None or b is None:
        return None
    if not a or not b:
        raise ValueError("a product with a scalar")
    merge(a[-1], b[0] if len(b) == 1 else b[-2])
    rows = a[-2:-1]
    columns = b[-1:] if len(b) > 1 else ()
    lead = a[:-2] if a[:-2] == b[:-2] else broadcast(a[:-2], b[:-2])
    return None if lead is None else (*lead, *rows, *columns)


@shape_rule("MatMul")
def _matmul(op: Op) -> Sequence[Type | None]:
    a, b = tensor(op.inputs[0]), tensor(op.inputs[1])
    if a is None or b is None:
        known = a or b
        return (None if known is None else TensorType(known.dtype),)
    return (TensorType(a.dtype, matmul_shape(a.shape, b.shape)),)


@shape_rule("MatMulInteger", quantize=True)
def _matmul_integer(op: Op) -> Sequence[Type | None]:
    a, b = tensor(op.inputs[0]), tensor(op.inputs[1])
    if a is None or b is None:
        return (TensorType(DType.INT32),)
    return (TensorType(DType.INT32, matmul_shape(a.shape, b.shape)),)


@shape_rule("QLinearMatMul", quantize=True)
def _q_linear_matmul(op: Op) -> Sequence[Type | None]:
    a, b, zero_point = tensor(op.inputs[0]), tensor(op.inputs[3]), tensor(op.inputs[7])
    if zero_point is None:
        return (None,)
    if a is None or b is None:
        return (TensorType(zero_point.dtype),)
    return (TensorType(zero_point.dtype, matmul_shape(a.shape, b.shape)),)


def _matmul_work(op: Op) -> int | None:
    a, result = tensor(op.inputs[0]), tensor(op.outputs[0])
    inner = a.shape[-1] if a is not None and a.shape else None
    size = None if result is None else result.size
    return size * inner if size is not None and isinstance(inner, int) else None


define("MatMul", work=_matmul_work)
define("MatMulInteger", work=_matmul_work)


@kernel("MatMul")
def _matmul_kernel(call: Call) -> Array:
    a, b = call[0], call[1]
    return np.asarray(np.matmul(widened(a), widened(b))).astype(a.dtype, copy=False)


@kernel("MatMulInteger")
def _matmul_integer_kernel(call: Call) -> Array:
    a, b = call[0].astype(np.int32), call[1].astype(np.int32)
    first, second = call.get(2), call.get(3)
    if first is not None:  # per tensor, or per row of the first operand
        a = a - (
            first.astype(np.int32).reshape(-1, 1) if first.ndim == 1 and first.size > 1 else first.astype(np.int32)
        )
    if second is not None:
        b = b - second.astype(np.int32)
    return np.asarray(np.matmul(a, b), np.int32)


# -- Gemm --------------------------------------------------------------------------------------------------------------


@shape_rule("Gemm")
def _gemm(op: Op) -> Sequence[Type | None]:
    a, b = tensor(op.inputs[0]), tensor(op.inputs[1])
    known = a or b
    if known is None:
        return (None,)
    rows, columns = _side(a, bool(attribute(op, "transA"))), _side(b, not attribute(op, "transB"))
    return (TensorType(known.dtype, (rows, columns)),)


def _side(matrix: TensorType | None, last: bool) -> Dim:
    if matrix is None or matrix.shape is None:
        return Symbol()
    if len(matrix.shape) != 2:
        raise ValueError("Gemm multiplies matrices")
    return matrix.shape[1 if last else 0]


def _gemm_work(op: Op) -> int | None:
    a, result = tensor(op.inputs[0]), tensor(op.outputs[0])
    if a is None or a.shape is None or result is None or result.size is None:
        return None
    inner = a.shape[0 if attribute(op, "transA") else 1]
    return result.size * inner if isinstance(inner, int) else None


@kernel("Gemm", work=_gemm_work)
def _gemm_kernel(call: Call) -> Array:
    a, b, c = call[0], call[1], call.get(2)
    dtype = a.dtype
    first = widened(a.T if call.attribute("transA") else a)
    second = widened(b.T if call.attribute("transB") else b)
    alpha, beta = call.attribute("alpha"), call.attribute("beta")
    result = np.matmul(first, second)
    if alpha != 1:
        result = result * _factor(alpha, result)
    if c is not None and beta != 0:
        third = widened(c)
        result = result + (third if beta == 1 else third * _factor(beta, third))
    return np.asarray(result).astype(dtype, copy=False)


def _factor(value: float, like: Array) -> Array:
    if like.dtype.kind in "iu" and value != int(value):
        raise NoKernel("integers times a fraction")
    return np.asarray(value, like.dtype)


# -- Einsum, Det -------------------------------------------------------------------------------------------------------


@shape_rule("Einsum")
def _einsum(op: Op) -> Sequence[Type | None]:
    parts = [tensor(v) for v in op.inputs]
    dtype = next((p.dtype for p in parts if p is not None), None)
    if dtype is None:
        return (None,)
    terms, result = parse_equation(attribute(op, "equation"))
    if len(terms) != len(parts):
        raise ValueError("as many terms as operands are needed")
    sizes: dict[str, Dim] = {}
    ellipsis: Shape | None = ()
    for term, part in zip(terms, parts):
        if part is None or part.shape is None:
            if "." in term or "." in result:
                return (TensorType(dtype),)
            continue
        before, dots, after = term.partition("...")
        middle = len(part.shape) - len(before) - len(after)
        if middle < 0 or (middle and not dots):
            raise ValueError(f"term {term!r} for rank {len(part.shape)}")
        named = (*part.shape[: len(before)], *part.shape[len(before) + middle :])
        for letter, dim in zip(before + after, named):
            known = sizes.get(letter)
            # A size of 1 is broadcast.
            sizes[letter] = dim if known is None or known is dim else broadcast_dims(known, dim)
        if dots:
            ellipsis = broadcast(ellipsis, part.shape[len(before) : len(before) + middle])
    before, dots, after = result.partition("...")
    if ellipsis is None or (not dots and "." in result):
        return (TensorType(dtype),)
    shape = [sizes[c] if c in sizes else Symbol() for c in before]
    shape += [*(ellipsis if dots else ()), *[sizes[c] if c in sizes else Symbol() for c in after]]
    return (TensorType(dtype, tuple(shape)),)


def parse_equation(equation: str) -> tuple[list[str], str]:
    """Terms and result of an Einsum equation; without `->` the result has the letters that occur once, sorted."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        letters = left.replace(".", "").replace(",", "")
        right = ("..." if "..." in left else "") + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return terms, right


def _einsum_work(op: Op) -> int | None:
    """Upper bound: the product of all different sizes."""
    terms, _ = parse_equation(attribute(op, "equation"))
    sizes: dict[str, int] = {}
    lead = 1
    for term, value in zip(terms, op.inputs):
        part = tensor(value)
        if part is None or part.size is None or part.shape is None:
            return None
        before, _, after = term.partition("...")
        numbers = [d for d in part.shape if isinstance(d, int)]
        middle = len(numbers) - len(before) - len(after)
        lead = max(lead, prod(numbers[len(before) : len(before) + middle]))
        named = numbers[: len(before)] + numbers[len(before) + middle :]
        for letter, size in zip(before + after, named):
            sizes[letter] = max(size, sizes.get(letter, 0))
    return prod(sizes.values()) * lead


@kernel("Einsum", work=_einsum_work)
def _einsum_kernel(call: Call) -> Array:
    parts = [call[slot] for slot in range(len(call.arrays))]
    result = np.einsum(call.attribute("equation"), *map(widened, parts))
    return np.asarray(result).astype(parts[0].dtype, copy=False)


@shape_rule("Det")
def _det(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    if data is None or data.shape is None:
        return (None if data is None else TensorType(data.dtype),)
    return (TensorType(data.dtype, data.shape[:-2]),)
