"""Attention from its products and Softmax; a pass of its own applies these rules."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...ir import DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import dtype_of, scaling, shape_of
from ._scalars import given, line_between

ATTENTION = 23
_TYPES = (DType.FLOAT, DType.FLOAT16)
_SWAP, _HEADS = (0, 1, 3, 2), (0, 2, 1, 3)

_scores = P.MatMul("q", "kt").as_("scores")
_scaled = scaling(_scores) | _scores
_masked = P.Add(_scaled, "mask") | _scaled


@rule(
    P.MatMul(P.Softmax(_masked).as_("softmax"), "v"),
    name="fuse.attention.products",
    numerics=Numerics.ROUNDING,
    since=ATTENTION,
    example=example(
        "(float[1,2,3,4] q, float[1,2,5,4] k, float[1,2,5,4] v, float[3,5] m) => (float[1,2,3,4] y) "
        "<float c = {0.5}> { t = Transpose <perm = [0, 1, 3, 2]> (k) s = MatMul(q, t) d = Mul(s, c) "
        "e = Add(d, m) f = Softmax(e) y = MatMul(f, v) }",
        23,
    ),
)
def products(rw: Rewriter, softmax: Op, scores: Op, q: Value, kt: Value, v: Value, mask: Value | None) -> Value:
    """MatMul(Softmax(MatMul(q, Transpose(k)) * s + mask), v) -> Attention(q, k, v, mask; s)

    Applies to batches of heads (rank 4) that are as many in q, k and v, in single or half precision, and a mask that
    has the rows and columns of the scores: runtimes take no others. Rounded otherwise, by the clause of Attention; a
    row that is masked altogether is left to the runtime.
    """
    shapes = [shape_of(x) for x in (q, kt, v)]
    if any(s is None or len(s) != 4 for s in shapes) or len({given(s)[:2] for s in shapes}) != 1:
        raise RejectError("the factors are not known to be batches of as many heads")
    dtype = dtype_of(q)
    if dtype not in _TYPES or any(dtype_of(x) is not dtype for x in (kt, v, mask) if x is not None):
        raise RejectError("not known to be of single or half precision")
    if rw.attr(softmax, "axis") not in (-1, 3):
        raise RejectError("Softmax goes along another axis")
    level = given(softmax.inputs[0])
    if mask is not None:
        added = given(level.producer)
        if shape_of(level) != shape_of(scores.result) or (shape_of(mask) or ())[-2:] != given(shape_of(level))[-2:]:
            raise RejectError("the mask may enlarge the scores, or is one row or column for all")
        level = next(x for x in added.inputs if x is not None and x is not mask)
    scale = line_between(level, scores.result).scale
    if scale <= 0:
        raise RejectError("the scale is not positive")
    result: Value = rw.Attention(q, _transposed(rw, kt), v, mask, scale=scale)
    return result


@rule(
    P.Reshape(P.Transpose(P.Attention("q", "k", "v", P.opt("mask")).as_("attention"), perm=_HEADS), ...),
    name="fuse.attention.packed",
    numerics=Numerics.ROUNDING,
    since=ATTENTION,
    example=example(
        "(float[1,3,8] p, float[1,5,8] q, float[1,5,8] r) => (float[1,3,8] y) "
        "<int64[4] cut = {0, 0, 2, 4}, int64[3] join = {0, 0, 8}> "
        "{ a = Reshape(p, cut) b = Reshape(q, cut) c = Reshape(r, cut) d = Transpose <perm = [0, 2, 1, 3]> (a) "
        "e = Transpose <perm = [0, 2, 1, 3]> (b) f = Transpose <perm = [0, 2, 1, 3]> (c) g = Attention(d, e, f) "
        "h = Transpose <perm = [0, 2, 1, 3]> (g) y = Reshape(h, join) }",
        23,
    ),
)
def packed(rw: Rewriter, attention: Op, q: Value, k: Value, v: Value, mask: Value | None) -> Value:
    """Reshape(Transpose(Attention(heads(q), heads(k), heads(v)))) -> Attention(q, k, v; number of heads)

    Applies where heads(x) is Transpose(Reshape(x, [B, S, H, D])), or part of that, and the outer ops undo it. By the
    clause of Attention of operands of rank 3.
    """
    heads = [given(shape_of(x))[1] for x in (q, k, v)]
    size, whole, batch = given(shape_of(v))[3], shape_of(rw.root.result), given(shape_of(q))
    if not isinstance(heads[0], int) or not isinstance(heads[1], int) or heads[1] != heads[2]:
        raise RejectError("the number of heads is not known")
    if not isinstance(size, int) or whole != (batch[0], batch[2], heads[0] * size):
        raise RejectError("the outer Reshape keeps the heads apart")
    attrs: dict[str, Any] = rw.copy_attrs(attention) | {"q_num_heads": heads[0], "kv_num_heads": heads[1]}
    parts: dict[Op, tuple[Value, ...]] = {}
    operands = [_split(rw, x, parts) for x in (q, k, v)]
    result: Value = rw.op("Attention", *operands, mask, name=attention.name, **attrs)
    return result


def _transposed(rw: Rewriter, x: Value) -> Value:
    """`x` with its last two axes swapped; one Transpose less where it is the result of one."""
    op = x.producer
    perm, data = _SWAP, x
    if op is not None and op.op_type == "Transpose" and not op.domain:
        own = ops.attribute(op, "perm")
        if own is not None and len(own) == 4:
            perm, data = (own[0], own[1], own[3], own[2]), given(op.inputs[0])
    if perm == (0, 1, 2, 3):
        return data
    result: Value = rw.Transpose(data, perm=perm)
    return result


def _split(rw: Rewriter, x: Value, parts: dict[Op, tuple[Value, ...]]) -> Value:
    """An operand of rank 3; `parts` remembers the Splits that have been made for others."""
    op = x.producer
    if op is None or op.op_type != "Split" or ops.attribute(op, "axis") not in (1, -3):
        return _joined(rw, x)
    if op not in parts:
        shapes = [given(shape_of(given(v))) for v in op.outputs]
        sizes = [s[1] * s[3] if isinstance(s[1], int) and isinstance(s[3], int) else 0 for s in shapes]
        if 0 in sizes or len(sizes) < 2:
            raise RejectError("the number of heads is not known")
        parts[op] = rw.Split(_joined(rw, given(op.inputs[0])), sizes, axis=2, outputs=len(sizes))
    return parts[op][op.outputs.index(x)]


def _joined(rw: Rewriter, x: Value) -> Value:
    """What a Transpose has made heads of, with the heads side by side in its last axis."""
    op, shape = x.producer, shape_of(x)
    if op is None or op.op_type != "Transpose" or ops.attribute(op, "perm") != _HEADS or shape is None:
        raise RejectError("no heads made by a Transpose")
    if not isinstance(shape[1], int) or not isinstance(shape[3], int):
        raise RejectError("the number of heads is not known")
    data = given(op.inputs[0])
    before = data.producer
    wanted = (shape[0], shape[2], shape[1] * shape[3])
    if before is not None and before.op_type == "Reshape" and shape_of(given(before.inputs[0])) == wanted:
        return given(before.inputs[0])
    result: Value = rw.Reshape(data, [0, 0, wanted[2]])
    return result


RULES = (products, packed)
