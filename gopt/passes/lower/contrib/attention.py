"""Attention of ONNX Runtime's own, without what it keeps from one call to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ....ir import DType, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ._common import MS, needed, number, text

_FILTER = -10000.0


class _Heads(NamedTuple):
    """How attention is divided.

    Attributes:
        number: of heads.
        scale: of the products; 0 for one over the root of a head's width.
        filter: what is added to the products where the mask is 0.
        causal: no place looks at later ones.
    """

    number: int
    scale: float
    filter: float
    causal: bool


def _heads(op: Op) -> _Heads:
    if op.attr("do_rotary", 0) or op.attr("past_present_share_buffer", 0):
        raise RejectError("positions are turned in it, or it keeps what came before")
    scale, low = op.attr("scale", 0.0), op.attr("mask_filter_value", _FILTER)
    return _Heads(op.attr("num_heads", 0), scale, low, bool(op.attr("unidirectional", 0)))


@rule(
    P.op("MultiHeadAttention", domain=MS)(
        "q", "k", "v", P.opt(P.const("b")), P.opt("mask"), P.opt("added"), P.opt("past")
    ).as_("op"),
    numerics=Numerics.ROUNDING,
    example=text(
        "(float[2,4,6] q, float[2,5,6] k, float[2,5,6] v) => (float[2,4,6] y)",
        "MultiHeadAttention<num_heads = 2>(q, k, v)",
    ),
)
def multi_head(
    rw: Rewriter,
    q: Value,
    k: Value,
    v: Value,
    b: Value | None,
    mask: Value | None,
    added: Value | None,
    past: Value | None,
    op: Op,
) -> Value:
    """MultiHeadAttention(q, k, v, b, mask, a) -> Softmax(q k^T / sqrt(h) + a) v, head by head

    For operands of three dims and known width, masks of two dims, without past. Rounds in other places.
    """
    needed(rw, 1)
    if past is not None:
        raise RejectError("it keeps what came before")
    if b is not None:
        widths = [_width(rw, x) for x in (q, k, v)]
        ends = np.cumsum([0, *widths])
        array = rw.array(b).reshape(-1)
        if array.size != ends[-1]:
            raise RejectError("the bias does not fit")
        q, k, v = (
            rw.Add(x, rw.const(array[start:end], name="bias")) for x, start, end in zip((q, k, v), ends, ends[1:])
        )
    return _attend(rw, (q, k, v), mask, added, _heads(op))


@rule(
    P.op("Attention", domain=MS)(
        "x", P.const("w"), P.opt(P.const("b")), P.opt("mask"), P.opt("past"), P.opt("added")
    ).as_("op"),
    numerics=Numerics.ROUNDING,
    example="""<ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1]>
example (float[2,3,2] x) => (float[2,3,2] y)
<float[2,6] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6}, float[6] b = {1, 2, 3, 4, 5, 6}>
{ y = com.microsoft.Attention<num_heads = 2>(x, w, b) }""",
)
def packed(
    rw: Rewriter,
    x: Value,
    w: Value,
    b: Value | None,
    mask: Value | None,
    past: Value | None,
    added: Value | None,
    op: Op,
) -> Value:
    """Attention(x, [Q K V], [b c d], mask, a) -> Softmax((x Q + b) (x K + c)^T / sqrt(h) + a) (x V + d), head by head

    For an operand of three dims, masks of two dims, without past. Rounds in other places.
    """
    needed(rw, 1)
    shape, weight = rw.shape(x), rw.array(w)
    if past is not None or shape is None or len(shape) != 3 or weight.ndim != 2:
        raise RejectError("it keeps what came before, or the operand has not three dims")
    widths = op.attr("qkv_hidden_sizes", None) or (weight.shape[1] // 3,) * 3
    ends = np.cumsum([0, *widths])
    if ends[-1] != weight.shape[1] or (b is not None and rw.array(b).size != ends[-1]):
        raise RejectError("the widths do not fit")
    parts = []
    for start, end in pairwise(ends):
        part = rw.MatMul(x, rw.const(np.ascontiguousarray(weight[:, start:end]), name="weight"))
        parts.append(part if b is None else rw.Add(part, rw.const(rw.array(b).reshape(-1)[start:end], name="bias")))
    return _attend(rw, (parts[0], parts[1], parts[2]), mask, added, _heads(op))


def _width(rw: Rewriter, x: Value) -> int:
    shape = rw.shape(x)
    if shape is None or len(shape) != 3 or not isinstance(shape[2], int):
        raise RejectError("an operand has not three dims, or its width is not known")
    return shape[2]


def _attend(
    rw: Rewriter, parts: tuple[Value, Value, Value], mask: Value | None, added: Value | None, heads: _Heads
) -> Value:
    """Attention over [batch, length, width] operands.

    Raises:
        RejectError: what it takes is not known, or a mask is of another kind.
    """
    widths = [_width(rw, x) for x in parts]
    count = heads.number
    if count < 1 or any(width % count for width in widths) or widths[0] != widths[1]:
        raise RejectError("the heads do not divide the width")
    q, k, v = (rw.Reshape(x, [0, 0, count, width // count]) for x, width in zip(parts, widths))
    q, v = (rw.Transpose(x, perm=[0, 2, 1, 3]) for x in (q, v))
    scale = heads.scale or 1 / np.sqrt(widths[0] // count)
    scores = rw.Mul(rw.MatMul(q, rw.Transpose(k, perm=[0, 2, 3, 1])), number(rw, float(scale), q))
    if mask is not None:
        scores = rw.Add(scores, _masked(rw, mask, heads.filter, q))
    if heads.causal:
        scores = _causal(rw, scores, parts)
    if added is not None:
        scores = rw.Add(scores, added)
    made = rw.Transpose(rw.MatMul(rw.Softmax(scores, axis=-1), v), perm=[0, 2, 1, 3])
    result: Value = rw.Reshape(made, [0, 0, widths[2]])
    return result


def _masked(rw: Rewriter, mask: Value, low: float, like: Value) -> Value:
    """What is added to the products: nothing where the mask [batch, length] is not 0."""
    shape = rw.shape(mask)
    if shape is None or len(shape) != 2 or rw.dtype(mask) is not DType.INT32:
        raise RejectError("the mask has not two dims, or is of another type")
    kept = rw.Cast(rw.Unsqueeze(mask, [1, 2]), to=int(DType.BOOL))
    result: Value = rw.Where(kept, number(rw, 0.0, like), number(rw, low, like))
    return result


def _causal(rw: Rewriter, scores: Value, parts: tuple[Value, ...]) -> Value:
    """The products, but the least number where a place would look at a later one."""
    lengths = [(rw.shape(x) or (None, None))[1] for x in parts[:2]]
    if not all(isinstance(n, int) for n in lengths) or lengths[0] != lengths[1] or rw.dtype(scores) is not DType.FLOAT:
        raise RejectError("the length is not known")
    kept = np.tril(np.ones((lengths[0], lengths[0]), bool))
    lowest = rw.const(np.asarray(np.finfo(np.float32).min, np.float32))
    result: Value = rw.Where(rw.const(kept), scores, lowest)
    return result
