"""Sigmoid and Tanh from each other and from their formulas, and the gate x * Sigmoid(x)."""

from __future__ import annotations

from ....ir import Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from .._affine import scaling, shifting, step
from .._scalars import Line, emit_line, floating, given, line, line_between, near, require, scalar, single

_HALVES, _DOUBLED = Line(0.5, 0.5), Line(2.0, -1.0)


@rule(
    step(step(P.Tanh(line("x")).as_("inner"))),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x) => (float[3] y) <float c = {0.5}, float d = {0.5}> "
        "{ a = Mul(x, c) b = Tanh(a) e = Mul(b, c) y = Add(e, d) }"
    ),
)
def from_tanh(rw: Rewriter, inner: Op, x: Value) -> Value:
    """Tanh(x * a + b) / 2 + 1/2 -> Sigmoid(x * 2a + 2b)

    Applies to scalars. Sigmoid(2x) = (Tanh(x) + 1) / 2; rounded otherwise.
    """
    return _swapped(rw, inner, x, _HALVES, "Sigmoid", 2.0)


@rule(
    step(step(P.Sigmoid(line("x")).as_("inner"))),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x) => (float[3] y) <float c = {2}, float d = {1}> "
        "{ a = Mul(x, c) b = Sigmoid(a) e = Mul(b, c) y = Sub(e, d) }"
    ),
)
def to_tanh(rw: Rewriter, inner: Op, x: Value) -> Value:
    """Sigmoid(x * a + b) * 2 - 1 -> Tanh(x * a/2 + b/2)

    Applies to scalars. Tanh(x) = 2 Sigmoid(2x) - 1; rounded otherwise.
    """
    return _swapped(rw, inner, x, _DOUBLED, "Tanh", 0.5)


@rule(
    P.Reciprocal(shifting(P.Exp(line("x")).as_("exp"), "plus"))
    | P.Div(P.const("one"), shifting(P.Exp(line("x")).as_("exp"), "plus")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x) => (float[3] y) <float one = {1}> { a = Neg(x) b = Exp(a) c = Add(b, one) y = Div(one, c) }"
    ),
)
def from_exp(rw: Rewriter, exp: Op, plus: Op, x: Value, one: Value | None) -> Value:
    """1 / (1 + Exp(x * a + b)) -> Sigmoid(x * -a - b)

    Applies to scalars. Rounded otherwise, by the clause of Sigmoid.
    """
    dtype, data = floating(x), given(exp.inputs[0])
    if one is not None:
        require(scalar(one, x), 1.0, dtype)
    sum_ = line_between(plus.result, exp.result)
    require(sum_.scale, 1.0, dtype)
    require(sum_.shift, 1.0, dtype)
    to = line_between(data, x).then(Line(-1.0))
    result: Value = rw.Sigmoid(emit_line(rw, x, to, dtype))
    return result


@rule(
    P.Mul("x", P.Sigmoid("x")) | P.Mul("x", P.Sigmoid(scaling("x")).as_("gate")),
    numerics=Numerics.ROUNDING,
    since=24,
    example=example("(float[3] x) => (float[3] y) { a = Sigmoid(x) y = Mul(x, a) }", 24),
)
def swish(rw: Rewriter, gate: Op | None, x: Value) -> Value:
    """x * Sigmoid(x * a) -> Swish(x; a)

    Applies to single and half precision: the clause defines Swish by that product. Rounded otherwise. At
    opset 24 alone: ONNX Runtime (1.31) takes Swish for its body there, and does not know it at later opsets.
    """
    if rw.opset() > 24:
        raise RejectError("ONNX Runtime does not know Swish at this opset")
    single(x)
    alpha = 1.0
    if gate is not None:
        alpha = line_between(given(gate.inputs[0]), x).scale
    result: Value = rw.Swish(x, alpha=alpha)
    return result


@rule(
    P.Mul(scaling("h", "half"), shifting(P.Tanh("u").as_("tanh"), "plus"))
    | scaling(P.Mul("h", shifting(P.Tanh("u").as_("tanh"), "plus")).as_("product")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x, float[3] u) => (float[3] y) <float half = {0.5}, float one = {1}> "
        "{ a = Mul(x, half) b = Tanh(u) c = Add(b, one) y = Mul(a, c) }"
    ),
)
def gated_by_tanh(rw: Rewriter, half: Op | None, product: Op | None, plus: Op, tanh: Op, h: Value, u: Value) -> Value:
    """(h / 2) * (Tanh(u) + 1) -> h * Sigmoid(2u)

    Applies to scalars; three ops come of four, and the factor of u goes into the one before it. Rounded otherwise.
    """
    dtype, root = floating(u), rw.root
    factor = line_between(root.result, product.result) if product is not None else line_between(given(half).result, h)
    sum_ = line_between(plus.result, tanh.result)
    require(factor.scale, 0.5, dtype)
    require(sum_.scale, 1.0, dtype)
    require(sum_.shift, 1.0, dtype)
    result: Value = rw.Mul(h, rw.Sigmoid(emit_line(rw, u, Line(2.0), dtype)))
    return result


def _swapped(rw: Rewriter, inner: Op, x: Value, wanted: Line, op_type: str, stretch: float) -> Value:
    root, data = rw.root, given(inner.inputs[0])
    dtype = floating(x)
    after = line_between(root.result, inner.result)
    require(after.scale, wanted.scale, dtype)
    require(after.shift, wanted.shift, dtype)
    to = line_between(data, x).then(Line(stretch))
    if near(to.scale, 1.0, dtype):
        to = Line(1.0, to.shift)
    result: Value = rw.op(op_type, emit_line(rw, x, to, dtype))
    return result
