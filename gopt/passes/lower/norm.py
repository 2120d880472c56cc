"""Normalizations of which more is used than what compilers give."""

from __future__ import annotations

import numpy as np

from ...ir import DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example


@rule(
    P.LayerNormalization("x", "scale", P.opt("bias")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[2,3] x, float[3] s) => (float[2,3] y, float[2,1] m) { y, m, d = LayerNormalization(x, s) }"
    ),
)
def single_result(rw: Rewriter, x: Value, scale: Value, bias: Value | None, op: Op) -> tuple[Value | None, ...]:
    """y, m, d = LayerNormalization(x, s, b) -> m = mean(x), d = 1 / sqrt(var(x) + e), y = (x - m) d s + b

    Applies where m or d is used, to float32; y stays a LayerNormalization. Rounds in other places.
    """
    used = [v is not None and v.is_needed for v in op.outputs]
    if not any(used[1:]):
        raise RejectError("only the first result is used")
    shape = rw.shape(x)
    if shape is None or rw.dtype(x) is not DType.FLOAT or rw.attr(op, "stash_type") != DType.FLOAT:
        raise RejectError("the rank is not known, or it is of another type than float")
    axes = list(range(rw.attr(op, "axis") % len(shape), len(shape)))
    mean = rw.ReduceMean(x, axes)
    off = rw.Sub(x, mean)
    epsilon = rw.const(np.asarray(rw.attr(op, "epsilon"), np.float32))
    deviation = rw.Reciprocal(rw.Sqrt(rw.Add(rw.ReduceMean(rw.Mul(off, off), axes), epsilon)))
    y = rw.LayerNormalization(x, scale, bias, **rw.copy_attrs(op)) if used[0] else None
    return tuple(v if needed else None for v, needed in zip((y, mean, deviation), used))
