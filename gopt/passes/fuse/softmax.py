"""Softmax and LogSoftmax from exponentials and their sums."""

from __future__ import annotations

from ...ir import DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import dtype_of, shape_of
from ._reductions import reduced_axes
from ._scalars import line_between

_TYPES = (DType.FLOAT, DType.DOUBLE, DType.FLOAT16)
_KINDS = P.op("Softmax", "LogSoftmax")
_exp = P.Exp("x").as_("exp")


@rule(
    P.Div(_exp, P.ReduceSum(_exp, ..., keepdims=1).as_("sum")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,3] x) => (float[2,3] y) <int64[1] axes = {1}> { e = Exp(x) s = ReduceSum(e, axes) y = Div(e, s) }"
    ),
)
def softmax(rw: Rewriter, exp: Op, sum: Op, x: Value) -> Value:
    """Exp(x) / ReduceSum(Exp(x)) -> Softmax(x)

    Applies to a sum over the last axis: along others ONNX Runtime's kernel is slower than those of the parts. Rounded
    otherwise, by the clause of Softmax, and finite where Exp overflows.
    """
    result: Value = rw.Softmax(x, axis=_last_axis(sum, x))
    return result


@rule(
    P.Log(P.Softmax("x").as_("inner")),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3] x) => (float[2,3] y) { a = Softmax <axis = 1> (x) y = Log(a) }"),
)
def log_of_softmax(rw: Rewriter, inner: Op, x: Value) -> Value:
    """Log(Softmax(x)) -> LogSoftmax(x)

    Applies always. Rounded otherwise, by the clause of LogSoftmax, and finite where Softmax vanishes.
    """
    result: Value = rw.LogSoftmax(x, axis=rw.attr(inner, "axis"))
    return result


@rule(
    P.Sub("x", P.ReduceLogSumExp("x", ..., keepdims=1).as_("sum"))
    | P.Sub("x", P.Log(P.ReduceSum(P.Exp("x"), ..., keepdims=1).as_("sum"))),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,3] x) => (float[2,3] y) <int64[1] axes = {1}> { s = ReduceLogSumExp(x, axes) y = Sub(x, s) }"
    ),
)
def log_softmax(rw: Rewriter, sum: Op, x: Value) -> Value:
    """x - ReduceLogSumExp(x) -> LogSoftmax(x), likewise x - Log(ReduceSum(Exp(x)))

    Applies to a sum over the last axis. Rounded otherwise, by the clause of LogSoftmax.
    """
    result: Value = rw.LogSoftmax(x, axis=_last_axis(sum, x))
    return result


@rule(
    _KINDS(P.Sub("x", P.ReduceMax("x", ..., keepdims=1).as_("most"))).as_("softmax"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,3] x) => (float[2,3] y) <int64[1] axes = {1}> "
        "{ m = ReduceMax(x, axes) d = Sub(x, m) y = Softmax <axis = 1> (d) }"
    ),
)
def less_maximum(rw: Rewriter, softmax: Op, most: Op, x: Value) -> Value:
    """Softmax(x - ReduceMax(x)) -> Softmax(x), likewise LogSoftmax

    Applies if both go along the same axis: what is the same for all its elements makes no difference. Rounds a
    difference less.
    """
    shape = shape_of(x)
    axis = _axis(most, x)
    if shape is None or rw.attr(softmax, "axis") % len(shape) != axis:
        raise RejectError("they go along different axes")
    result: Value = rw.op(softmax.op_type, x, axis=axis, name=softmax.name)
    return result


@rule(
    _KINDS(P.Add("x", P.const()).as_("shift")).as_("softmax"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,3] x) => (float[2,3] y) <float c = {2}> { a = Add(x, c) y = Softmax(a) }"),
)
def plus_scalar(rw: Rewriter, softmax: Op, shift: Op, x: Value) -> Value:
    """Softmax(x + c) -> Softmax(x), likewise LogSoftmax

    Applies to scalars: what is the same for all elements makes no difference. Rounds a sum less.
    """
    line_between(shift.result, x)
    result: Value = rw.op(softmax.op_type, x, axis=rw.attr(softmax, "axis"), name=softmax.name)
    return result


def _last_axis(reduction: Op, x: Value) -> int:
    """The only axis of a reduction, if it is the last one.

    Raises:
        RejectError: it is another one, or there are more.
    """
    axis, shape = _axis(reduction, x), shape_of(x)
    if shape is None or axis != len(shape) - 1:
        raise RejectError("it is not taken over the last axis")
    return axis


def _axis(reduction: Op, x: Value) -> int:
    """The only axis of a reduction.

    Raises:
        RejectError: it has more, or ONNX Runtime has no kernel for the element type.
    """
    axes = reduced_axes(reduction)
    if len(axes) != 1 or dtype_of(x) not in _TYPES:
        raise RejectError("it is taken over several axes, or of a type that ONNX Runtime has no kernel for")
    return axes[0]
