"""Gelu, exact and by Tanh."""

from __future__ import annotations

from math import pi, sqrt

from ....ir import DType, Op, Value
from ....rewrite import Numerics, OpPattern, P, Pattern, RejectError, Rewriter, rule
from ...example import example
from .._affine import scaling
from .._polynomials import polynomial
from .._scalars import Line, emit_line, given, line_between, near, require, single, some_line

_CUBIC = 0.044715


def _gated(gate: OpPattern) -> Pattern:
    """x times a line of the gate, and a factor before or behind it, or none."""
    gate = gate.as_("gate")
    return (
        scaling(P.Mul("x", some_line(gate)))
        | P.Mul(scaling("x", "outer"), some_line(gate))
        | P.Mul("x", some_line(gate))
    )


@rule(
    _gated(P.Erf(scaling("x"))) | _gated(P.Erf("x")),
    numerics=Numerics.ROUNDING,
    since=20,
    example=example(
        "(float[3] x) => (float[3] y) <float root = {1.4142135}, float one = {1}, float half = {0.5}> "
        "{ a = Div(x, root) b = Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half) }",
        20,
    ),
)
def exact(rw: Rewriter, gate: Op, outer: Op | None, x: Value) -> Value:
    """x / 2 * (1 + Erf(x / sqrt(2))) -> Gelu(x)

    Applies to single and half precision, wherever the factor 1/2 stands. With other factors than these, which
    neighbours may have taken, x * (1 + Erf(x * q)) is Gelu(x * s) * 2/s for s = q * sqrt(2); no more ops come of it.
    Rounded otherwise, by the clause of Gelu.
    """
    dtype, data = single(x), given(gate.inputs[0])
    stretch = line_between(data, x).scale * sqrt(2)
    return _gelu(rw, x, stretch, _factor(rw, gate, outer, x, dtype), dtype, "none")


@rule(
    _gated(P.Tanh(P.any())) | P.Mul("x", P.Sigmoid(P.any()).as_("gate")),
    numerics=Numerics.ROUNDING,
    since=20,
    example=example(
        "(float[3] x) => (float[3] y) <float e = {3}, float c = {0.044715}, float k = {0.7978846}, float one = {1}, "
        "float half = {0.5}> { a = Pow(x, e) b = Mul(a, c) d = Add(x, b) f = Mul(d, k) g = Tanh(f) h = Add(g, one) "
        "i = Mul(x, half) y = Mul(i, h) }",
        20,
    ),
)
def by_tanh(rw: Rewriter, gate: Op, outer: Op | None, x: Value) -> Value:
    """x / 2 * (1 + Tanh(sqrt(2/pi) * (x + 0.044715 * x**3))) -> Gelu(x; tanh)

    Applies to single and half precision, however the polynomial is spelled and wherever the factor 1/2 stands;
    likewise x * Sigmoid of twice the polynomial, and with x scaled. Rounded otherwise, by the clause of Gelu.
    """
    dtype, data = single(x), given(gate.inputs[0])
    terms = polynomial(data, x)
    if set(terms) != {1, 3}:
        raise RejectError("it is another polynomial")
    is_sigmoid = gate.op_type == "Sigmoid"
    stretch = terms[1] / sqrt(2 / pi) / (2.0 if is_sigmoid else 1.0)
    require(terms[3] / terms[1], _CUBIC * stretch**2, dtype)
    factor = 1.0 if is_sigmoid else _factor(rw, gate, outer, x, dtype)
    return _gelu(rw, x, stretch, factor, dtype, "tanh")


def _factor(rw: Rewriter, gate: Op, outer: Op | None, x: Value, dtype: DType) -> float:
    """f of f * x / 2 * (1 + gate).

    Raises:
        RejectError: the gate is shifted by something else than it is scaled by.
    """
    root = rw.root
    factor = 1.0 if outer is None else line_between(outer.result, x).scale
    product = root
    if x not in root.inputs and outer is None:
        inner = next(v for v in root.inputs if v is not None and v.const is None)
        factor = line_between(root.result, inner).scale
        assert inner.producer is not None
        product = inner.producer
    own = x if outer is None else outer.result
    weight = next(v for v in product.inputs if v is not None and v is not own)
    around = line_between(weight, gate.result)
    require(around.shift / around.scale, 1.0, dtype)
    return 2.0 * factor * around.scale


def _gelu(rw: Rewriter, x: Value, stretch: float, factor: float, dtype: DType, how: str) -> Value:
    """Gelu(x * stretch) * factor / stretch, without products by 1."""
    if near(stretch, 1.0, dtype):
        stretch = 1.0
    whole = factor / stretch
    gelu: Value = rw.Gelu(emit_line(rw, x, Line(stretch), dtype), approximate=how)
    return gelu if near(whole, 1.0, dtype) else emit_line(rw, gelu, Line(whole), dtype)
