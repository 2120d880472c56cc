"""Einsums that are a single other operator."""

from __future__ import annotations

import re

import numpy as np

from ... import ops
from ...ir import DType, Op, Value
from ...ops.shapes import tensor
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example

_einsum = P.Einsum(P.each("xs")).as_("op")


@rule(
    _einsum,
    numerics=Numerics.FINITE,
    example=example('(float[N,3,2] x) => (float[2,N,3] y) { y = Einsum<equation = "bij->jbi">(x) }'),
)
def moved(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Einsum(x, "ij->ji") -> Transpose(x), Einsum(x, y, "bij,ij->bij") -> Mul(x, y)

    Applies to letters that occur once in each operand, and to two operands one of which has all letters of the result
    and the other one its last ones, in their order. Nothing is summed but with zeros, so that -0 may become 0.
    """
    terms, result = _equation(op, xs)
    found: Value
    if len(terms) == 1 and sorted(terms[0]) == sorted(result):
        found = rw.Transpose(xs[0], perm=[terms[0].index(letter) for letter in result], name=op.name)
    elif len(terms) == 2 and result in terms and all(result.endswith(t) for t in terms):
        found = rw.Mul(xs[0], xs[1], name=op.name)
    else:
        raise RejectError("it is neither a Transpose nor a Mul")
    return found


@rule(
    _einsum,
    numerics=Numerics.ROUNDING,
    example=example(
        '(float[N,3,2] x, float[N,2,4] z) => (float[N,3,4] y) { y = Einsum<equation = "bij, bjk -> bik">(x, z) }'
    ),
)
def product(rw: Rewriter, op: Op, xs: tuple[Value, ...]) -> Value:
    """Einsum(x, y, "bij,bjk->bik") -> MatMul(x, y), "ij,kj->ik" -> Gemm(x, y, transB=1), "bij->bi" -> ReduceSum(x)

    Applies to letters that occur once in each operand, one of which is summed. Leading letters that only one operand
    has must stand before those of a matrix. A constant is transposed beforehand; other operands only in a product of
    two matrices of floats, which a Gemm computes. The dims that are summed must be known to be equal. The terms are
    added in another order.
    """
    terms, result = _equation(op, xs)
    if len(terms) == 1:
        return _sum(rw, op, xs[0], terms[0], result)
    if len(terms) != 2:
        raise RejectError("there are more than two operands")
    summed = set("".join(terms)) - set(result)
    if len(summed) != 1 or not all(summed <= set(t) for t in terms):
        raise RejectError("not one letter of both operands is summed")
    (k,) = summed
    dims = [_dims(x)[t.index(k)] for x, t in zip(xs, terms)]
    if dims[0] != dims[1]:
        raise RejectError("the dims that are summed may differ")
    for first, second in ((0, 1), (1, 0)):
        found = _matmul(rw, op, (xs[first], xs[second]), (terms[first], terms[second]), k, result)
        if found is not None:
            return found
    raise RejectError("it takes more than one op")


def _equation(op: Op, xs: tuple[Value, ...]) -> tuple[list[str], str]:
    """The letters of each operand, and those of the result.

    Raises:
        RejectError: there are dots, a letter is there twice in a term, or they do not fit the operands.
    """
    equation = re.sub(r"\s", "", ops.attribute(op, "equation"))
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    if not arrow:
        if left.lower() != left:
            raise RejectError("the order of small and capital letters is not said")
        result = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    if any(not t.isalpha() for t in terms if t) or (result and not result.isalpha()):
        raise RejectError("there are dots")
    if any(len(set(t)) < len(t) for t in (*terms, result)):
        raise RejectError("a letter is there twice in a term")
    if len(terms) != len(xs) or any(len(_dims(x)) != len(t) for x, t in zip(xs, terms)):
        raise RejectError("the equation does not fit the operands")
    return terms, result


def _dims(x: Value) -> tuple[object, ...]:
    type_ = tensor(x)
    if type_ is None or type_.shape is None:
        raise RejectError("the rank is not known")
    return type_.shape


def _sum(rw: Rewriter, op: Op, x: Value, term: str, result: str) -> Value:
    axes = [k for k, letter in enumerate(term) if letter not in result]
    if not axes or "".join(c for c in term if c in result) != result:
        raise RejectError("nothing is summed, or axes change places")
    found: Value = rw.ReduceSum(x, axes, keepdims=0, name=op.name)
    return found


def _matmul(rw: Rewriter, op: Op, xs: tuple[Value, Value], terms: tuple[str, str], k: str, result: str) -> Value | None:
    """One op for sum over k of xs[0] * xs[1], the rows from the first one; None if there is no such."""
    a, b = (t.replace(k, "") for t in terms)
    shared = [c for c in a if c in b]
    batch = "".join(shared)
    if not all(t.startswith(batch) for t in (a, b, result)):
        return None
    rows, columns = a[len(batch) :], b[len(batch) :]
    if result != batch + rows + columns or len(columns) > 1 or (len(rows) > 1 and batch):
        return None
    if len(rows) > 1 and len(terms[1]) > 2:
        return None
    if batch and not (rows and columns):
        return None  # a vector has no batches
    wanted = (a + k, batch + k + columns)
    if len(terms[1]) == 2 and len(terms[0]) == 2 and not batch and terms != wanted:
        return _gemm(rw, op, xs, (terms[0] != wanted[0], terms[1] != wanted[1]))
    operands = []
    for x, have, want in zip(xs, terms, wanted):
        if have != want:
            if x.const is None:
                return None
            array = np.transpose(rw.array(x), [have.index(c) for c in want])
            x = rw.const(np.ascontiguousarray(array), name=x.name)
        operands.append(x)
    found: Value = rw.MatMul(*operands, name=op.name)
    return found


def _gemm(rw: Rewriter, op: Op, xs: tuple[Value, Value], transposed: tuple[bool, bool]) -> Value | None:
    if rw.dtype(xs[0]) not in (DType.FLOAT, DType.DOUBLE, DType.FLOAT16):
        return None
    found: Value = rw.Gemm(*xs, transA=int(transposed[0]), transB=int(transposed[1]), name=op.name)
    return found
