"""Reductions and what stands around them: means, norms, sums of squares and logarithms of sums."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...ir import DType, Op, Value
from ...rewrite import Numerics, P, Pattern, RejectError, Rewriter, rule
from ..example import example
from ..layout._slices import piece_of
from ._affine import dtype_of, scaling, shape_of
from ._reductions import count, reduced_axes, refuse_many
from ._scalars import floating, given, keep_shape, line_between, near

_TYPES = (DType.FLOAT, DType.DOUBLE, DType.FLOAT16)


def _square(data: Pattern | str) -> Pattern:
    return P.Mul(data, data) | P.Pow(data, P.const("two", 2))


_sum = P.ReduceSum("x", ...).as_("reduction")
_norm = P.ReduceL2("x", ...).as_("reduction")


@rule(
    scaling(P.op("ReduceSum", "ReduceMean")("x", ...).as_("reduction")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,4] x) => (float[2,1] y) <float four = {4}, int64[1] axes = {1}> "
        "{ a = ReduceSum(x, axes) y = Div(a, four) }"
    ),
)
def mean(rw: Rewriter, reduction: Op, x: Value) -> Value:
    """ReduceSum(x) / n -> ReduceMean(x), and ReduceMean(x) * n -> ReduceSum(x)

    Applies if n is the number of elements that are reduced. Rounded otherwise, by the clauses of the operators.
    """
    dtype = floating(x)
    n = count(x, reduced_axes(reduction))
    scale = line_between(rw.root.result, reduction.result).scale
    if reduction.op_type == "ReduceSum" and near(scale, 1 / n, dtype):
        return _reduced(rw, "ReduceMean", x, reduction)
    if reduction.op_type == "ReduceMean" and near(scale, n, dtype):
        return _reduced(rw, "ReduceSum", x, reduction)
    raise RejectError("the factor is not that of a mean")


@rule(
    P.ReduceSum(_square("x"), ...).as_("reduction"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,4] x) => (float[2,1] y) <int64[1] axes = {1}> { a = Mul(x, x) y = ReduceSum(a, axes) }"),
)
def sum_square(rw: Rewriter, reduction: Op, x: Value, two: Value | None) -> Value:
    """ReduceSum(x * x) -> ReduceSumSquare(x), likewise x ** 2

    Applies to few floating-point numbers: of many ONNX Runtime's kernel is slower than those of the parts. By the
    clause of the operator; its sum may be rounded otherwise.
    """
    keep_shape(x, two)
    refuse_many(x)
    return _reduced(rw, "ReduceSumSquare", x, reduction)


@rule(
    P.Sqrt(P.ReduceSumSquare("x", ...).as_("reduction")) | P.Sqrt(P.ReduceSum(_square("x"), ...).as_("reduction")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,4] x) => (float[2,1] y) <int64[1] axes = {1}> { a = ReduceSumSquare(x, axes) y = Sqrt(a) }"
    ),
)
def euclidean(rw: Rewriter, reduction: Op, x: Value, two: Value | None) -> Value:
    """Sqrt(ReduceSumSquare(x)) -> ReduceL2(x)

    Applies to floating-point numbers. By the clause of the operator; its sum may be rounded otherwise. A sum of
    products only of few numbers, of which ONNX Runtime's own kernel is not the slower one.
    """
    keep_shape(x, two)
    if reduction.op_type == "ReduceSum":
        refuse_many(x)
    return _reduced(rw, "ReduceL2", x, reduction)


@rule(
    P.Mul(_norm, _norm) | P.Pow(_norm, P.const("two", 2)),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,4] x) => (float[2,1] y) <int64[1] axes = {1}> { a = ReduceL2(x, axes) y = Mul(a, a) }"),
)
def square_of_norm(rw: Rewriter, reduction: Op, x: Value, two: Value | None) -> Value:
    """ReduceL2(x) * ReduceL2(x) -> ReduceSumSquare(x), likewise ReduceL2(x) ** 2

    Applies to floating-point numbers. Rounds a root and its square less.
    """
    keep_shape(reduction.result, two)
    return _reduced(rw, "ReduceSumSquare", x, reduction)


@rule(
    P.ReduceSum(P.Abs("x"), ...).as_("reduction"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,4] x) => (float[2,1] y) <int64[1] axes = {1}> { a = Abs(x) y = ReduceSum(a, axes) }"),
)
def absolute(rw: Rewriter, reduction: Op, x: Value) -> Value:
    """ReduceSum(Abs(x)) -> ReduceL1(x)

    Applies to few floating-point numbers: of many ONNX Runtime's kernel is slower than those of the parts. By the
    clause of the operator; its sum may be rounded otherwise.
    """
    refuse_many(x)
    return _reduced(rw, "ReduceL1", x, reduction)


@rule(
    P.Log(P.ReduceSum(P.Exp("x"), ...).as_("reduction")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,4] x) => (float[2,1] y) <int64[1] axes = {1}> { a = Exp(x) b = ReduceSum(a, axes) y = Log(b) }"
    ),
)
def log_sum_exp(rw: Rewriter, reduction: Op, x: Value) -> Value:
    """Log(ReduceSum(Exp(x))) -> ReduceLogSumExp(x)

    Applies to few floating-point numbers: of many ONNX Runtime's kernel is slower than those of the parts. By the
    clause of the operator; rounded otherwise, and finite where Exp is not.
    """
    refuse_many(x)
    return _reduced(rw, "ReduceLogSumExp", x, reduction)


@rule(
    P.Log(_sum),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,4] x) => (float[2,1] y) <int64[1] axes = {1}> "
        "{ p = Abs(x) a = Add(p, p) b = ReduceSum(a, axes) y = Log(b) }"
    ),
)
def log_sum(rw: Rewriter, reduction: Op, x: Value) -> Value:
    """Log(ReduceSum(x)) -> ReduceLogSum(x)

    Applies to few floating-point numbers (see `absolute`), but those that Exp has made, of which there is another
    operator. By the clause of the operator; its sum may be rounded otherwise.
    """
    refuse_many(x)
    if x.producer is not None and x.producer.op_type == "Exp":
        raise RejectError("it is the logarithm of a sum of exponentials")
    return _reduced(rw, "ReduceLogSum", x, reduction)


@rule(
    P.Sqrt(P.Add(_square("a"), _square("b"))),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,4,3] x) => (float[2,2,3] y) <float two = {2}> "
        "{ a, b = Split <axis = 1, num_outputs = 2> (x) c = Pow(a, two) d = Pow(b, two) e = Add(c, d) y = Sqrt(e) }"
    ),
)
def magnitude(rw: Rewriter, a: Value, b: Value, two: Value | None) -> Value:
    """Sqrt(a**2 + b**2) -> Sqrt(u + v), for a, b the halves of x along an axis, and u, v those of x * x

    Applies to halves that nothing else uses, made by one Split or two Slices: the modulus of numbers whose real and
    imaginary parts stand side by side. The squares are those that were there. ReduceL2 would take fewer ops, but twice
    the time in ONNX Runtime.
    """
    floating(a)
    keep_shape(a, two)
    x, axis = _halved(a, b)
    whole = given(shape_of(x))[axis]
    if not isinstance(whole, int):
        raise RejectError("the size is not known")
    half = whole // 2
    first, second = rw.Split(rw.Mul(x, x), [half, half], axis=axis, outputs=2)
    result: Value = rw.Sqrt(rw.Add(first, second))
    return result


@rule(
    P.Div("x", P.op("ReduceL1", "ReduceL2")("x", ..., keepdims=1).as_("reduction")),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,4] x) => (float[2,4] y) <int64[1] axes = {1}> { a = ReduceL2(x, axes) y = Div(x, a) }"),
)
def normalised(rw: Rewriter, reduction: Op, x: Value) -> Value:
    """x / ReduceL2(x) -> LpNormalization(x; p=2), likewise ReduceL1

    Applies to a norm over the last axis, in single or double precision, that nothing keeps from being zero: of a
    vector of zeros the quotient is no number, the operator leaves it to the runtime. Rounded otherwise.
    """
    axes = reduced_axes(reduction)
    if axes != (len(given(shape_of(x))) - 1,) or dtype_of(x) not in (DType.FLOAT, DType.DOUBLE):
        raise RejectError("it is not taken over the last axis, or of a type that ONNX Runtime has no kernel for")
    result: Value = rw.LpNormalization(x, axis=axes[0], p=1 if reduction.op_type == "ReduceL1" else 2)
    return result


def _halved(a: Value, b: Value) -> tuple[Value, int]:
    """What two values are the halves of, in either order, and along which axis.

    Raises:
        RejectError: they are not, or are used elsewhere too.
    """
    for value in (a, b):
        if value.is_output or value.graph is None or len(dict.fromkeys(value.graph.users(value))) != 1:
            raise RejectError("a part is used elsewhere")
    first, second = sorted(map(piece_of, (a, b)), key=lambda piece: piece.start)
    whole = first.joined(second)
    if whole is None or not whole.is_whole or 2 * first.end != second.end:
        raise RejectError("they are not the halves of one value")
    return first.source, first.axis


def _reduced(rw: Rewriter, op_type: str, x: Value, like: Op) -> Value:
    """Another reduction of `x` over the same axes.

    Raises:
        RejectError: ONNX Runtime has no kernel for the element type.
    """
    if dtype_of(x) not in _TYPES:
        raise RejectError("not known to be of a floating-point type that ONNX Runtime reduces")
    attrs: dict[str, Any] = {n: a for n, a in like.attrs.items() if n in ("keepdims", "noop_with_empty_axes")}
    axes = ops.operands(like)[1] if ops.has_operand(like, "axes") else None
    if like.attr("noop_with_empty_axes", 0) and not ops.ints(like, "axes"):
        raise RejectError(f"{like.label} reduces nothing")
    result: Value = rw.op(op_type, x, axes, **attrs)
    return result
