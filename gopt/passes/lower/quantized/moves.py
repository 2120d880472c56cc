"""What moves levels moves the floats that they stand for."""

from __future__ import annotations

import numpy as np

from ....ir import DType, Op, Value
from ....ops import operands
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from ..types import MOVES, attributes
from ._ends import numbers
from .pairs import times

_BYTES = (DType.UINT8, DType.INT8)


@rule(
    P.DequantizeLinear(P.op(*MOVES, "MaxPool")("x", ...).as_("move").shared(), P.const("s"), P.opt(P.const("z"))),
    numerics=Numerics.EXACT,
    example=example(
        "(uint8[2,3] x) => (float[3,2] y) <float s = {0.5}, uint8 z = {3}> "
        "{ t = Transpose(x) y = DequantizeLinear(t, s, z) }"
    ),
)
def before(rw: Rewriter, x: Value, move: Op, s: Value, z: Value | None) -> Value:
    """DequantizeLinear(Transpose(x), s, z) -> Transpose(DequantizeLinear(x, s, z))

    The same for all that only moves elements, and for MaxPool, as the larger level is the larger number. With one
    positive scale, for 8 bits. Exact: the same elements are converted.
    """
    real = _converted(rw, x, s, z)
    if not rw.array(s).item() > 0:
        raise RejectError("the scale is not positive")
    if len([v for v in move.outputs if v is not None]) != 1:
        raise RejectError("places are wanted, too")
    result: Value = rw.op(move.op_type, real, *operands(move)[1:], **attributes(rw, move))
    return result


@rule(
    P.DequantizeLinear(P.Resize("x", ...).as_("resize").shared(), P.const("s"), P.opt(P.const("z"))),
    numerics=Numerics.ROUNDING,
    example=example(
        "(uint8[1,1,2,2] x) => (float[1,1,4,4] y) <float[4] by = {1, 1, 2, 2}, float s = {0.5}, uint8 z = {3}> "
        '{ t = Resize<mode = "linear">(x, "", by) y = DequantizeLinear(t, s, z) }'
    ),
)
def resize(rw: Rewriter, x: Value, resize: Op, s: Value, z: Value | None) -> Value:
    """DequantizeLinear(Resize(x), s, z) -> (Cast(Cast(Resize(Cast(x, float)), int32), float) - z) s

    For 8 bits and modes that stay between the neighbours: nearest, of which nothing is cut off, and linear. ONNX
    Runtime cuts off the fractions of levels so; a level may be missed where there is none but by rounding.
    """
    mode = rw.attr(resize, "mode")
    if rw.dtype(x) not in _BYTES or mode not in ("nearest", "linear") or rw.dtype(s) is not DType.FLOAT:
        raise RejectError("the elements are not of 8 bits, or the mode is another one")
    if rw.array(s).size != 1 or (z is not None and rw.array(z).size != 1):
        raise RejectError("there is more than one scale")
    result = rw.Resize(numbers(rw, x, None), *operands(resize)[1:], **attributes(rw, resize))
    if mode == "linear":
        result = rw.Cast(rw.Cast(result, to=int(DType.INT32)), to=int(DType.FLOAT))
    zero = 0.0 if z is None else float(rw.array(z).item())
    if zero:
        result = rw.Sub(result, rw.const(np.asarray(zero, np.float32)))
    return times(rw, rw.Mul, result, s)


@rule(
    P.DequantizeLinear("part", P.const("s"), P.opt(P.const("z"))),
    numerics=Numerics.EXACT,
    example=example(
        "(uint8[2,6] x) => (float[2,2] y, float[2,4] v) <float s = {0.5}, uint8 z = {3}, int64[2] n = {2, 4}> "
        "{ t, u = Split<axis = 1>(x, n) y = DequantizeLinear(t, s, z) v = DequantizeLinear(u, s, z) }"
    ),
)
def before_split(rw: Rewriter, part: Value, s: Value, z: Value | None) -> Value:
    """DequantizeLinear(Split(x)[k], s, z) -> Split(DequantizeLinear(x, s, z))[k]

    With one scale, for 8 bits; equal Splits become one when `clean` runs. Exact: the same elements are converted.
    """
    split = part.producer
    if split is None or split.op_type != "Split" or split.domain:
        raise RejectError("it is no part of a Split")
    data, *rest = operands(split)
    if data is None:
        raise RejectError("it is no part of a Split")
    count = len(split.outputs)
    made = rw.op("Split", _converted(rw, data, s, z), *rest, outputs=count, **attributes(rw, split))
    return made if count == 1 else made[split.outputs.index(part)]  # type: ignore[no-any-return]


@rule(
    P.DequantizeLinear(P.Concat(P.each("parts")).as_("concat").shared(), P.const("s"), P.opt(P.const("z"))),
    numerics=Numerics.EXACT,
    example=example(
        "(uint8[2,3] a, uint8[2,1] b) => (float[2,4] y) <float s = {0.5}, uint8 z = {3}> "
        "{ t = Concat<axis = 1>(a, b) y = DequantizeLinear(t, s, z) }"
    ),
)
def before_concat(rw: Rewriter, parts: tuple[Value, ...], concat: Op, s: Value, z: Value | None) -> Value:
    """DequantizeLinear(Concat(a, b), s, z) -> Concat(DequantizeLinear(a, s, z), DequantizeLinear(b, s, z))

    With one scale, for 8 bits. Exact: the same elements are converted.
    """
    made: Value = rw.Concat(*(_converted(rw, part, s, z) for part in parts), **rw.copy_attrs(concat))
    return made


def _converted(rw: Rewriter, x: Value, s: Value, z: Value | None) -> Value:
    """What levels stand for.

    Raises:
        RejectError: they are not of 8 bits, or there is more than one scale.
    """
    if rw.dtype(x) not in _BYTES or rw.dtype(s) is not DType.FLOAT:
        raise RejectError("the elements are not of 8 bits, or their scale is no float")
    if rw.array(s).size != 1 or (z is not None and rw.array(z).size != 1):
        raise RejectError("there is more than one scale")
    ends = [None if v is None else rw.const(rw.array(v).reshape(())) for v in (s, z)]
    result: Value = rw.DequantizeLinear(x, *ends)
    return result
