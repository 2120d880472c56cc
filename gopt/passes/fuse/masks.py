"""Choices written as sums of products with a mask and its opposite."""

from __future__ import annotations

from ...ir import DType, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example

_CHOSEN = (DType.FLOAT, DType.DOUBLE, DType.FLOAT16)
"""Element types for which ONNX Runtime has both Mul and Where."""
_MASK = P.Cast("m").shared()
_TAKEN = P.Mul(_MASK, "a").shared() | P.Where("m", "a", P.const("zero", value=0)).shared()
_LEFT = (
    P.Mul(P.Cast(P.Not("m").shared()).shared(), "b").shared()
    | P.Mul(P.Sub(P.const("one", value=1), _MASK).shared(), "b").shared()
    | P.Where(P.Not("m").shared(), "b", P.const("nought", value=0)).shared()
    | P.Where("m", P.const("nought", value=0), "b").shared()
)


@rule(
    P.Add(_TAKEN, _LEFT),
    numerics=Numerics.FINITE,
    example=example(
        "(bool[2,1] m, float[2,3] a, float[2,3] b) => (float[2,3] y) "
        "{ n = Not(m) c = Cast<to = 1>(m) d = Cast<to = 1>(n) e = Mul(c, a) f = Mul(d, b) y = Add(e, f) }"
    ),
)
def blend(
    rw: Rewriter, m: Value, a: Value, b: Value, one: Value | None, zero: Value | None, nought: Value | None
) -> Value:
    """Cast(m) * a + Cast(Not(m)) * b -> Where(m, a, b), for a boolean m

    Applies to floats, if at least one of the products has no other use; also with 1 - Cast(m) for the opposite mask,
    and with Where(m, a, 0) for a product. So exporters write a choice of floats for runtimes without it. Equal unless
    NaN or an infinity stands where it is not chosen; but for the sign of zero.
    """
    if rw.dtype(m) is not DType.BOOL or rw.dtype(rw.root.result) not in _CHOSEN:
        raise RejectError("it is no choice of floats by a boolean")
    if not any(v is not None and v.has_one_use and not v.is_output for v in rw.root.inputs):
        raise RejectError("both products are used elsewhere")
    result: Value = rw.Where(m, a, b)
    before, after = rw.shape(rw.root.result), rw.shape(result)
    constants = [v.const for v in (one, zero, nought) if v is not None and v.const is not None]
    if any(c.size != 1 for c in constants):
        raise RejectError("a constant may enlarge the result")
    if any(c.shape for c in constants) and (before is None or after is None or len(before) != len(after)):
        raise RejectError("a constant may have a higher rank than all else")
    return result
