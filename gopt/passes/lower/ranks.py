"""Operators on vectors, for compilers that want a dim more."""

from __future__ import annotations

from ...ir import Op, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example


@rule(
    P.op("Softmax", "LogSoftmax")("x").as_("op"),
    example=example("(float[4] x) => (float[4] y) { y = Softmax(x) }"),
)
def softmax(rw: Rewriter, x: Value, op: Op) -> Value:
    """Softmax(x) -> Squeeze(Softmax(Unsqueeze(x))), for a vector x; LogSoftmax likewise

    Exact: the same elements along the same axis.
    """
    if rw.shape(x) is None or len(rw.shape(x) or ()) != 1:
        raise RejectError("it is no vector")
    made: Value = rw.Squeeze(rw.op(op.op_type, rw.Unsqueeze(x, [0]), axis=1), [0])
    return made


@rule(
    P.MatMul("a", "b"),
    example=example("(float[3] a, float[2,3,4] b) => (float[2,4] y) { y = MatMul(a, b) }"),
)
def vector(rw: Rewriter, a: Value, b: Value) -> Value:
    """MatMul(a, b) -> Squeeze(MatMul(Unsqueeze(a), b)), for a vector a and a stack of matrices b

    Exact: this is how the operator's clause defines it.
    """
    first, second = rw.shape(a), rw.shape(b)
    if first is None or second is None or len(first) != 1 or len(second) < 3:
        raise RejectError("it is no vector times a stack of matrices")
    made: Value = rw.Squeeze(rw.MatMul(rw.Unsqueeze(a, [0]), b), [-2])
    return made
