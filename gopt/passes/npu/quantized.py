"""What is rounded to 8 bits between floats, in floats: compilers for NPUs quantize by themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import Array, DType, Model, Op, Value
from ...rewrite import Context, Numerics, P, RejectError, Rewriter, rule
from ..base import Pass, register
from ..example import example

_RANGES = {DType.UINT8: (0, 255), DType.INT8: (-128, 127)}
_PAIR = (
    "(float[2,3] x) => (float[2,3] y) <float s = {0.5}, int8 z = {0}> "
    "{ q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }"
)


@dataclass(frozen=True)
class Levels:
    """What a pair rounds to: multiples of `scale` from `low` to `high` times of it."""

    scale: Array
    low: int
    high: int


@rule(
    P.DequantizeLinear(
        P.QuantizeLinear("x", P.const("s"), P.opt(P.const("z"))).shared(), P.const("t"), P.opt(P.const("v"))
    ),
    numerics=Numerics.ROUNDING,
    example=example(_PAIR),
)
def pair(rw: Rewriter, x: Value, s: Value, z: Value | None, t: Value, v: Value | None) -> Value:
    """DequantizeLinear(QuantizeLinear(x, s, z), s, z) -> s Clip(Round(x / s), low - z, high - z)

    With one constant scale and zero point, of 8 bits. The levels are the same, in floats.
    """
    found = _levels(rw, x, s, z, t, v)
    low, high = (rw.const(np.asarray(end, np.float32)) for end in (found.low, found.high))
    scale = rw.const(found.scale)
    result: Value = rw.Mul(rw.Clip(rw.Round(rw.Div(x, scale)), low, high), scale)
    return result


@rule(
    P.DequantizeLinear(P.const("w"), P.const("s"), P.opt(P.const("z"))).as_("op"),
    example=example(
        "(float[2] x) => (float[2] y) <int8[2] w = {1, 2}, float s = {0.5}, int8 z = {0}> "
        "{ v = DequantizeLinear(w, s, z) y = Add(x, v) }"
    ),
)
def weights(rw: Rewriter, w: Value, s: Value, z: Value | None, op: Op) -> Value:
    """DequantizeLinear(w, s, z) -> the constant (w - z) s

    For weights of 8 bits, and biases of 32 without a zero point other than 0. Exact: the operator computes just this.
    """
    dtype, scale = rw.dtype(w), rw.array(s)
    if dtype not in (*_RANGES, DType.INT32) or scale.dtype != np.float32 or rw.attr(op, "block_size"):
        raise RejectError("the types are others, or it is quantized in blocks")
    array = rw.array(w)
    zero = np.zeros((), array.dtype) if z is None else rw.array(z)
    if dtype is DType.INT32 and zero.any():
        raise RejectError("there is a zero point")
    if scale.size > 1:
        wide = [1] * array.ndim
        wide[rw.attr(op, "axis") % array.ndim] = scale.size
        scale, zero = scale.reshape(wide), zero.reshape(wide) if zero.size > 1 else zero.reshape(())
    else:
        scale, zero = scale.reshape(()), zero.reshape(())
    wider = array.astype(np.int32) - zero.astype(np.int32)
    return rw.const(wider.astype(np.float32) * scale, name="weight")


@register
@dataclass(frozen=True)
class Floats(Pass):
    """DequantizeLinear(QuantizeLinear(x, s, z), s, z) -> Clip(x, s (low - z), s (high - z))

    With one constant scale and zero point, of 8 bits: what the model was before it was quantized, within the range of
    its levels. Other numbers than now, by up to half a level each.
    """

    in_family = False
    numerics = Numerics.ROUNDING
    needs = ("DequantizeLinear",)

    def run(self, model: Model, ctx: Context) -> None:
        """Look at all graphs."""
        for graph in tuple(model.graphs()):
            for op in graph.ops:
                if op.op_type == "DequantizeLinear" and not op.domain and op.graph is graph:
                    self._op(op, ctx)

    def _op(self, op: Op, ctx: Context) -> None:
        made = None if op.inputs[0] is None else op.inputs[0].producer
        if (
            made is None
            or made.op_type != "QuantizeLinear"
            or made.domain
            or op.graph is None
            or made.graph is not op.graph
        ):
            return
        rw = Rewriter(op.graph, op)
        (x, s, z), (t, v) = ([o.input(k) for k in places] for o, places in ((made, (0, 1, 2)), (op, (1, 2))))
        if x is None or s is None or t is None or any(c is not None and c.const is None for c in (s, z, t, v)):
            return
        try:
            found = _levels(rw, x, s, z, t, v)
        except RejectError:
            return
        low, high = (rw.const(np.asarray(end * found.scale, np.float32)) for end in (found.low, found.high))
        ctx.replace(self.name, {op.result: rw.Clip(x, low, high)}, rw.staged, numerics=Numerics.ROUNDING)


def _levels(rw: Rewriter, x: Value, s: Value, z: Value | None, t: Value, v: Value | None) -> Levels:
    """The levels of a pair.

    Raises:
        RejectError: there is more than one scale, it is brought back by another, or the types are others.
    """
    zero, other = (np.zeros((), np.uint8) if c is None else rw.array(c) for c in (z, v))
    dtype = DType.UINT8 if z is None else rw.dtype(z)
    scale, back = rw.array(s), rw.array(t)
    sizes = {array.size for array in (zero, other, scale, back)}
    if dtype not in _RANGES or sizes != {1} or rw.dtype(x) is not DType.FLOAT or scale.dtype != np.float32:
        raise RejectError("there is more than one scale, or the types are others")
    if scale.item() != back.item() or int(zero.item()) != int(other.item()):
        raise RejectError("it is brought back by another scale")
    low, high = (end - int(zero.item()) for end in _RANGES[dtype])
    return Levels(scale.reshape(()), low, high)
