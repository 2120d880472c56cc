"""Fusion past an op that only moves elements: what stands behind (or before) it goes into the product before (behind).

The op that moves stays where it is; the constants are read along the axis to which it takes the channels.
"""

from __future__ import annotations

from typing import Any

from ... import ops
from ...ir import Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import Affine, affine_of, along, batch_norm, batch_norm_affine, shape_of, step
from ._products import Product
from ._weights import Kernel, mapped_after, mapped_before

_CONV = P.Conv | P.ConvTranspose
_MOVES = P.Flatten | P.Reshape | P.Squeeze | P.Transpose | P.Unsqueeze
_conv = _CONV("x", "w", P.opt("b")).as_("conv")
_moved = _MOVES(_conv, ...).as_("move")
_reshaped = P.Reshape((P.Gemm | P.MatMul)("a", "b", P.opt("c")).as_("op"), "shape").as_("move")


@rule(
    step(_moved) | batch_norm(_moved),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,3,3,2] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float[2] c = {5, 6}> "
        "{ a = Conv(x, w) b = Transpose<perm = [0, 2, 3, 1]>(a) y = Add(b, c) }"
    ),
)
def conv(rw: Rewriter, conv: Op, move: Op) -> Value:
    """move(Conv(x, W, b)) * c + d -> move(Conv(x, W * c, b * c + d)), for move a Squeeze, Unsqueeze, Transpose, ...

    Applies as the rules of `fuse.conv` do, to constants that vary along the axis to which the channels are moved. A
    Reshape or Flatten must leave that axis and those before it as they are.
    """
    root = rw.root
    assert root is not None
    axis = _moved_to(move, 1)
    if axis is None:
        raise RejectError(f"{move.label} removes the channels")
    if root.op_type == "BatchNormalization":
        if axis != 1:
            raise RejectError(f"{move.label} moves the channels")
        affine = batch_norm_affine(root)
    else:
        affine = _along(affine_of(root, move.result), move.result, axis)
    channels = Kernel(conv).outputs
    if any(a is not None and len(a) not in (1, channels) for a in (affine.scale, affine.shift)):
        raise RejectError(f"the constant is not for {channels} channels")
    return _again(rw, move, mapped_after(rw, conv, affine))


@rule(
    _CONV(_MOVES(step("x", "inner"), ...).as_("move"), P.const("w"), P.opt("b")).as_("conv"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,3,3,2] x) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float[2] c = {5, 6}> "
        "{ a = Sub(x, c) b = Transpose<perm = [0, 3, 1, 2]>(a) y = Conv(b, w) }"
    ),
)
def conv_before(rw: Rewriter, conv: Op, move: Op, inner: Op, x: Value) -> Value:
    """Conv(move(x * c + d), W, b) -> Conv(move(x), W * c, b + d * W), for move a Squeeze, Unsqueeze, Transpose, ...

    Applies as the rules of `fuse.conv` do, to constants that vary along the axis from which the channels are moved. A
    Reshape or Flatten must leave that axis and those before it as they are.
    """
    shape = shape_of(x)
    if shape is None:
        raise RejectError("the rank is not known")
    axis = next((a for a in range(len(shape)) if _moved_to(move, a) == 1), None)
    if axis is None:
        raise RejectError(f"{move.label} makes the channels")
    affine = _along(affine_of(inner, x), x, axis)
    return mapped_before(rw, conv, _again(rw, move, x), affine)


@rule(
    step(_reshaped),
    numerics=Numerics.ROUNDING,
    since=7,
    example=example(
        "(float[6,2] x) => (float[2,3,2] y) "
        "<float[2,2] w = {1, 2, 3, 4}, float[2] c = {5, 6}, int64[3] r = {2, 3, 2}> "
        "{ a = MatMul(x, w) b = Reshape(a, r) y = Add(b, c) }"
    ),
)
def gemm(rw: Rewriter, op: Op, move: Op) -> Value:
    """Reshape(Gemm(A, B, C)) * c + d -> Reshape(Gemm(A, B * c, C * c + d)); likewise MatMul of matrices

    Applies if the Reshape keeps the columns as its last axis, to constants that vary along that axis alone.
    """
    root = rw.root
    assert root is not None
    product = Product.of(op)
    shape = shape_of(move.result)
    if not shape or shape[-1] != product.columns:
        raise RejectError(f"{move.label} parts the columns")
    affine = _along(affine_of(root, move.result), move.result, -1)
    if affine.shift is None and op.op_type == "MatMul":
        raise RejectError("a factor needs no Gemm")
    return _again(rw, move, product.then(rw, affine).gemm(rw))


def _along(both: Affine, value: Value, axis: int) -> Affine:
    return Affine(along(both.scale, shape_of(value), axis), along(both.shift, shape_of(value), axis))


def _moved_to(move: Op, axis: int) -> int | None:
    """Where a Squeeze, Unsqueeze, Transpose, Reshape or Flatten takes an axis; None if it removes it.

    Raises:
        RejectError: that is not known.
    """
    shape = shape_of(move.inputs[0]) if move.inputs[0] is not None else None
    if shape is None:
        raise RejectError("the rank is not known")
    rank = len(shape)
    if move.op_type == "Transpose":
        perm = ops.attribute(move, "perm") or tuple(reversed(range(rank)))
        if sorted(perm) != list(range(rank)):
            raise RejectError(f"{move.label} has no permutation of {rank} axes")
        return int(perm.index(axis))
    if move.op_type in ("Flatten", "Reshape"):
        after = shape_of(move.result)
        if after is None or shape[: axis + 1] != after[: axis + 1]:
            raise RejectError(f"{move.label} may part the channels")
        return axis
    axes = ops.ints(move, "axes")
    if axes is None:
        raise RejectError(f"the axes of {move.label} are not known")
    if move.op_type == "Squeeze":
        gone = {a % rank for a in axes}
        return None if axis in gone else axis - sum(a < axis for a in gone)
    new = {a % (rank + len(axes)) for a in axes}
    kept = [a for a in range(rank + len(axes)) if a not in new]
    return kept[axis]


def _again(rw: Rewriter, move: Op, x: Value) -> Value:
    """The same move of another value."""
    # Attributes that are operands in the newest schema are given as such.
    attrs: dict[str, Any] = {n: a for n, a in move.attrs.items() if n not in ("axes", "shape")}
    result: Value = rw.op(move.op_type, x, *ops.operands(move)[1:], name=move.name, **attrs)
    return result
