"""Element types that compilers take at the edges of a model alone."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...ir import DType, Op, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example

MOVES = ("Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Tile", "Transpose", "Unsqueeze")
_SMALL = (DType.UINT8, DType.INT8)


@rule(
    P.Cast(P.op(*MOVES)("x", ...).as_("move")),
    example=example("(uint8[2,3] x) => (float[3,2] y) { t = Transpose(x) y = Cast<to = 1>(t) }"),
)
def cast_first(rw: Rewriter, x: Value, move: Op) -> Value:
    """Cast(Transpose(x)) -> Transpose(Cast(x)), for x of 8 bits

    The same for all that only moves elements. TensorRT takes UINT8 at inputs and outputs alone, so that a model that
    takes pictures has to begin with the cast. Exact: the same elements are converted.
    """
    if rw.dtype(x) not in _SMALL:
        raise RejectError("the elements are not of 8 bits")
    cast = rw.Cast(x, to=rw.attr(rw.root, "to"))
    rest = ops.operands(move)[1:]
    result: Value = rw.op(move.op_type, cast, *rest, **attributes(rw, move))
    return result


@rule(
    P.op(*MOVES)("x", ...).as_("move"),
    example=example("(uint8[2,3] x) => (uint8[3,2] y) { y = Transpose(x) }"),
)
def around(rw: Rewriter, x: Value, move: Op) -> Value:
    """Transpose(x) -> Cast(Transpose(Cast(x, int32)), uint8), for x of type uint8

    Where it is not a cast alone that takes the result. Exact: int32 holds every uint8.
    """
    result = move.result
    if rw.dtype(x) is not DType.UINT8:
        raise RejectError("the elements are not of type uint8")
    if not result.is_output and all(use.op.op_type == "Cast" or brings_back(use.op) for use in result.uses):
        raise RejectError("what takes the result comes before it instead")
    wide = rw.Cast(x, to=int(DType.INT32))
    moved = rw.op(move.op_type, wide, *ops.operands(move)[1:], **attributes(rw, move))
    made: Value = rw.Cast(moved, to=int(DType.UINT8))
    return made


@rule(
    P.Clip("x", P.opt("low"), P.opt("high")),
    example=example("(int64[3] x) => (int64[3] y) <int64 l = {0}, int64 h = {5}> { y = Clip(x, l, h) }"),
)
def clip(rw: Rewriter, x: Value, low: Value | None, high: Value | None) -> Value:
    """Clip(x, low, high) -> Min(Max(x, low), high), for integers of 32 and 64 bits

    TensorRT clips floats alone. Exact: where low is above high, either gives high.
    """
    if rw.dtype(x) not in (DType.INT32, DType.INT64):
        raise RejectError("it is no integer of 32 or 64 bits")
    bounded = x if low is None else rw.Max(x, low)
    bounded = bounded if high is None else rw.Min(bounded, high)
    result: Value = rw.Identity(x) if bounded is x else bounded
    return result


@rule(
    P.Relu("x"),
    example=example("(int32[3] x) => (int32[3] y) { y = Relu(x) }"),
)
def relu(rw: Rewriter, x: Value) -> Value:
    """Relu(x) -> Max(x, 0), for x of type int32

    TensorRT takes Relu of int64, but not of int32. Exact.
    """
    if rw.dtype(x) is not DType.INT32:
        raise RejectError("the elements are not of type int32")
    result: Value = rw.Max(x, rw.const(0, like=x))
    return result


def brings_back(op: Op, depth: int = 8) -> bool:
    """True for what makes floats of levels, or will once it is lowered, moves of the levels before that included."""
    if op.op_type in ("ConvInteger", "DequantizeLinear", "MatMulInteger") or op.op_type.startswith("QLinear"):
        return True
    if op.op_type not in (*MOVES, "Concat", "MaxPool", "Resize", "Split") or not depth or op.bodies:
        return bool(op.domain)
    results = [v for v in op.outputs if v is not None and v.is_needed]
    if not results or any(v.is_output for v in results):
        return False
    return all(brings_back(use.op, depth - 1) for v in results for use in v.uses)


def attributes(rw: Rewriter, op: Op) -> dict[str, Any]:
    """The attributes that are none of the operands in another spelling."""
    moved = {m.name for m in ops.view.spelled_as_attribute(op)}
    return {name: attr for name, attr in rw.copy_attrs(op).items() if name not in moved}
