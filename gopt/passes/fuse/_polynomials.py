"""Polynomials of one value, however they are spelled: x + 0.04 * x ** 3, x * (1 + 0.04 * x * x) ..."""

from __future__ import annotations

from ... import ops
from ...ir import Op, Value
from ...rewrite import RejectError
from ._scalars import scalar

Polynomial = dict[int, float]
"""Coefficient by exponent."""
_DEEPEST, _HIGHEST = 8, 8


def polynomial(value: Value, x: Value) -> Polynomial:
    """What Add, Sub, Mul, Div by a constant, Neg and Pow to a whole number make of `x` and scalar constants.

    Raises:
        RejectError: `value` is made otherwise, or from something else too.
    """
    return {n: c for n, c in _of(value, x, _DEEPEST).items() if c}


def _of(value: Value | None, x: Value, depth: int) -> Polynomial:
    if value is x:
        return {1: 1.0}
    if value is not None and value.const is not None:
        return {0: scalar(value, x)}
    op = None if value is None else value.producer
    if op is None or op.domain or not depth or not ops.is_current(op):
        raise RejectError("no polynomial")
    return _made(op, x, depth - 1)


def _made(op: Op, x: Value, depth: int) -> Polynomial:
    if op.op_type not in _KNOWN:
        raise RejectError(f"{op.label} makes no polynomial")
    if op.op_type == "Pow":
        return _power(_of(op.inputs[0], x, depth), op.inputs[1])
    terms = [_of(v, x, depth) for v in op.inputs]
    if op.op_type == "Neg":
        return _times(terms[0], {0: -1.0})
    a, b = terms
    if op.op_type == "Mul":
        return _times(a, b)
    if op.op_type == "Div":
        if set(b) != {0} or not b[0]:
            raise RejectError(f"{op.label} divides by no constant")
        return _times(a, {0: 1.0 / b[0]})
    sign = -1.0 if op.op_type == "Sub" else 1.0
    return {n: a.get(n, 0.0) + sign * b.get(n, 0.0) for n in {**a, **b}}


_KNOWN = frozenset({"Add", "Div", "Mul", "Neg", "Pow", "Sub"})


def _power(base: Polynomial, exponent: Value | None) -> Polynomial:
    tensor = None if exponent is None else exponent.const
    if tensor is None or tensor.size != 1 or len(tensor.shape) > 1:
        raise RejectError("no constant exponent")
    times = float(tensor.numpy().reshape(-1)[0])
    if times not in (1.0, 2.0, 3.0):
        raise RejectError("no small whole exponent")
    result = base
    for _ in range(int(times) - 1):
        result = _times(result, base)
    return result


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    result: Polynomial = {}
    for n, c in a.items():
        for m, d in b.items():
            if n + m > _HIGHEST:
                raise RejectError("a polynomial of too high a degree")
            result[n + m] = result.get(n + m, 0.0) + c * d
    return result
