"""Piecewise linear gates: HardSigmoid and HardSwish."""

from __future__ import annotations

from ....ir import DType, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from .._affine import scaling, shifting, step
from .._scalars import Line, emit_line, given, keep_shape, line, line_between, near, require, scalar, single, some_line

_LOW, _HIGH = P.const("low"), P.const("high")
_gate = P.Clip(shifting("x"), _LOW, _HIGH).as_("clip")


@rule(
    some_line(P.Clip(line("x"), _LOW, _HIGH).as_("clip")) | P.Clip(some_line("x"), _LOW, _HIGH).as_("clip"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x) => (float[3] y) <float three = {3}, float zero = {0}, float six = {6}> "
        "{ a = Add(x, three) b = Clip(a, zero, six) y = Div(b, six) }"
    ),
)
def hard_sigmoid(rw: Rewriter, clip: Op, x: Value, low: Value, high: Value) -> Value:
    """Clip(x * a + b, l, h) * c + d -> HardSigmoid(x; a*c, b*c + d)

    Applies to scalars, in single or half precision, if the outer line takes the bounds to 0 and 1, in either order: a
    line that follows a clamp may go before it if it goes over its bounds too. Rounds a product and a sum less.
    """
    root, data = rw.root, given(clip.inputs[0])
    dtype = single(x)
    after = Line() if clip is root else line_between(root.result, clip.result)
    bottom, top = scalar(low, x), scalar(high, x)
    if bottom >= top:
        raise RejectError("the clamp has no room")
    ends = sorted((after.at(bottom), after.at(top)))
    require(ends[0], 0.0, dtype)
    require(ends[1], 1.0, dtype)
    return _hard_sigmoid(rw, x, line_between(data, x).then(after), root.name)


@rule(
    P.HardSigmoid(step("x")).as_("gate"),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] y) <float c = {2}> { a = Mul(x, c) y = HardSigmoid(a) }"),
)
def hard_sigmoid_of_line(rw: Rewriter, gate: Op, x: Value) -> Value:
    """HardSigmoid(x * c + d; a, b) -> HardSigmoid(x; a*c, a*d + b)

    Applies to scalars, in single or half precision. Rounds once less.
    """
    single(x)
    data = given(gate.inputs[0])
    own = Line(rw.attr(gate, "alpha"), rw.attr(gate, "beta"))
    return _hard_sigmoid(rw, x, line_between(data, x).then(own), gate.name)


@rule(
    P.Sub(P.const("one", 1), P.HardSigmoid("x").as_("gate")),
    numerics=Numerics.ROUNDING,
    example=example("(float[3] x) => (float[3] y) <float one = {1}> { a = HardSigmoid(x) y = Sub(one, a) }"),
)
def complement(rw: Rewriter, gate: Op, one: Value, x: Value) -> Value:
    """1 - HardSigmoid(x; a, b) -> HardSigmoid(x; -a, 1 - b)

    Applies in single and half precision. Rounded otherwise.
    """
    single(x)
    keep_shape(x, one)
    own = Line(rw.attr(gate, "alpha"), rw.attr(gate, "beta"))
    return _hard_sigmoid(rw, x, own.then(Line(-1.0, 1.0)), rw.root.name)


@rule(
    P.Mul("x", P.HardSigmoid("x").as_("gate")),
    numerics=Numerics.ROUNDING,
    since=14,
    example=example(
        "(float[3] x) => (float[3] y) { a = HardSigmoid <alpha = 0.16666667, beta = 0.5> (x) y = Mul(x, a) }"
    ),
)
def hard_swish(rw: Rewriter, gate: Op, x: Value) -> Value:
    """x * HardSigmoid(x; 1/6, 1/2) -> HardSwish(x)

    Applies to single and half precision. HardSwish is defined by that product; runtimes may round it in other ways.
    """
    single(x)
    if not _is_sixth(rw.attr(gate, "alpha"), rw.attr(gate, "beta")):
        raise RejectError("it is another line")
    result: Value = rw.HardSwish(x)
    return result


@rule(
    scaling(P.Mul("x", _gate)) | P.Mul(scaling("x", "outer"), _gate) | P.Mul("x", _gate),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[3] x) => (float[3] y) <float three = {3}, float zero = {0}, float six = {6}> "
        "{ a = Add(x, three) b = Clip(a, zero, six) c = Mul(x, b) y = Div(c, six) }"
    ),
)
def gated(rw: Rewriter, clip: Op, outer: Op | None, x: Value, low: Value, high: Value) -> Value:
    """x * Clip(x + b, 0, h) * c -> x * HardSigmoid(x; 1/h, b/h), times c*h unless that is 1

    Applies to scalars, in single or half precision, if fewer ops come of it: with the factor c, or where the gate is
    that of HardSwish and the opset has it. Rounds a product less.
    """
    root, data = rw.root, given(clip.inputs[0])
    dtype = single(x)
    top = scalar(high, x)
    require(scalar(low, x), 0.0, dtype)
    if top <= 0:
        raise RejectError("the clamp has no room")
    factor = _factor(root, clip, outer, x)
    inner = line_between(data, x)
    inner = Line(inner.scale / top, inner.shift / top)
    is_swish = _is_sixth(inner.scale, inner.shift) and rw.opset() >= _HARD_SWISH
    if factor is None and not is_swish:
        raise RejectError("it would take as many ops")
    whole = top * (1.0 if factor is None else factor)
    product: Value = rw.HardSwish(x) if is_swish else rw.Mul(x, _hard_sigmoid(rw, x, inner, ""))
    return product if near(whole, 1.0, dtype) else emit_line(rw, product, Line(whole), dtype)


_HARD_SWISH = 14


def _factor(root: Op, clip: Op, outer: Op | None, x: Value) -> float | None:
    """The constant factor of x * Clip(...), None without one."""
    if outer is not None:
        return line_between(outer.result, x).scale
    if clip.result in root.inputs:
        return None
    product = next(v for v in root.inputs if v is not None and v.const is None)
    return line_between(root.result, product).scale


def _is_sixth(alpha: float, beta: float) -> bool:
    return near(alpha, 1 / 6, DType.FLOAT) and near(beta, 0.5, DType.FLOAT)


def _hard_sigmoid(rw: Rewriter, x: Value, to: Line, name: str) -> Value:
    if not _SMALLEST < abs(to.scale) < _LARGEST or abs(to.shift) > _LARGEST:
        raise RejectError("the line is too flat or too steep")
    result: Value = rw.HardSigmoid(x, alpha=to.scale, beta=to.shift, name=name)
    return result


_SMALLEST, _LARGEST = 2.0**-100, 2.0**100
