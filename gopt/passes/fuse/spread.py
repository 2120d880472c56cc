"""Constant affine maps behind an op that joins or pools convolutions go into all of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import ops
from ...ir import Op, Role, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example
from ._affine import Affine, affine_of, along, batch_norm, batch_norm_affine, scaling, shape_of, step
from ._weights import Kernel, mapped_after

_CONV = P.Conv | P.ConvTranspose
_pooled = (P.AveragePool | P.GlobalAveragePool | P.GlobalMaxPool | P.MaxPool)(
    _CONV("x", "w", P.opt("b")).as_("conv")
).as_("pool")
_added = P.Add(_CONV("x", "w", P.opt("b")).as_("left"), _CONV("z", "v", P.opt("c")).as_("right")).as_("add")


@rule(
    step(_pooled) | batch_norm(_pooled),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,4,4] x) => (float[1,2,2,2] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float[2] s = {1, 2}, float[2] t = {3, 4}, float[2] m = {5, 6}, "
        "float[2] v = {7, 8}> "
        "{ a = Conv(x, w) b = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(a) "
        "y = BatchNormalization(b, s, t, m, v) }"
    ),
)
def pool(rw: Rewriter, conv: Op, pool: Op) -> Value:
    """pool(Conv(x, W, b)) * k + d -> pool(Conv(x, W * k, b * k + d)), k and d being what follows does to channels

    Applies to AveragePool, MaxPool and the global ones. A maximum wants positive k; an average takes d if no window
    counts padding. Computed in float64, rounded once.
    """
    assert rw.root is not None
    affine = _per_channel(rw.root, pool.result, Kernel(conv).outputs)
    if "Max" in pool.op_type and affine.scale is not None and not (affine.scale > 0).all():
        raise RejectError("a negative factor makes a minimum of a maximum")
    if pool.op_type == "AveragePool" and affine.shift is not None and affine.shift.any() and _counts_padding(pool):
        raise RejectError(f"{pool.label} counts padding")
    attrs: dict[str, Any] = dict(pool.attrs)
    result: Value = rw.op(pool.op_type, mapped_after(rw, conv, affine), name=pool.name, **attrs)
    return result


@rule(
    scaling(_added) | batch_norm(_added),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float[2,2,3,3] v = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, "
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}, float[2,1,1] k = {5, 6}> "
        "{ a = Conv(x, w) b = Conv<pads = [1, 1, 1, 1]>(x, v) c = Add(a, b) y = Mul(c, k) }"
    ),
)
def add(rw: Rewriter, left: Op, right: Op) -> Value:
    """(Conv(x, W, b) + Conv(z, V, c)) * k + d -> Conv(x, W * k, b * k + d) + Conv(z, V * k, c * k)

    Applies to a product, a quotient, Neg and BatchNormalization, to constants as the rules of `fuse.conv` do. Computed
    in float64, rounded once.
    """
    root = rw.root
    assert root is not None
    total = next(v for v in root.inputs if v is not None and v.const is None)
    kernels = Kernel(left), Kernel(right)
    if kernels[0].outputs != kernels[1].outputs or kernels[0].rank != kernels[1].rank:
        raise RejectError("one of them is broadcast along the channels")
    affine = _per_channel(root, total, kernels[0].outputs)
    result: Value = rw.Add(mapped_after(rw, left, affine), mapped_after(rw, right, Affine(affine.scale)))
    return result


@rule(
    (P.Add | P.Sub)(P.Add(_CONV("x", "w", P.opt("b")).as_("conv"), "y").as_("add"), P.const()),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x, float[1,2,3,3] z) => (float[1,2,3,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float[2,1,1] k = {5, 6}> "
        "{ a = Conv(x, w) c = Add(z, a) y = Add(c, k) }"
    ),
)
def shift(rw: Rewriter, conv: Op, add: Op, y: Value) -> Value:
    """(Conv(x, W, b) + y) + d -> Conv(x, W, b + d) + y; likewise - d

    Applies to constants as the rules of `fuse.conv` do. Computed in float64, rounded once.
    """
    assert rw.root is not None
    kernel, shape = Kernel(conv), shape_of(add.result)
    if shape is None or len(shape) != kernel.rank:
        raise RejectError("the sum has other axes")
    affine = _per_channel(rw.root, add.result, kernel.outputs)
    result: Value = rw.Add(mapped_after(rw, conv, affine), y)
    return result


@rule(
    step(P.Concat(P.each("parts")).as_("concat")) | batch_norm(P.Concat(P.each("parts")).as_("concat")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3,3] x, float[1,1,3,3] z) => (float[1,3,3,3] y) "
        "<float[2,2,1,1] w = {1, 2, 3, 4}, float[1,1,1,1] v = {5}, float[3,1,1] k = {6, 7, 8}> "
        "{ a = Conv(x, w) b = Conv(z, v) c = Concat<axis = 1>(a, b) y = Mul(c, k) }"
    ),
)
def concat(rw: Rewriter, concat: Op, parts: Sequence[Value | None]) -> Value:
    """Concat(Conv(x, W, b), ...) * k + d -> Concat(Conv(x, W * k, b * k + d), ...), each with its channels' k and d

    Applies to a Concat of convolutions alone, none of them used elsewhere, along the channels. Computed in float64,
    rounded once.
    """
    assert rw.root is not None
    axis, shape = ops.attribute(concat, "axis"), shape_of(concat.result)
    if shape is None or axis % len(shape) != 1:
        raise RejectError(f"{concat.label} does not join channels")
    convs = [_convolution(part) for part in parts]
    channels = [Kernel(conv).outputs for conv in convs]
    affine = _per_channel(rw.root, concat.result, sum(channels))
    news, start = [], 0
    for conv, count in zip(convs, channels):
        news.append(mapped_after(rw, conv, _part(affine, start, count)))
        start += count
    result: Value = rw.Concat(*news, axis=1)
    return result


def _per_channel(root: Op, data: Value, channels: int) -> Affine:
    """What an op does to the channels of its operand.

    Raises:
        RejectError: they are not so many, or it does other things too.
    """
    if root.op_type == "BatchNormalization":
        affine = batch_norm_affine(root)
    else:
        both, shape = affine_of(root, data), shape_of(data)
        affine = Affine(along(both.scale, shape, 1), along(both.shift, shape, 1))
    if any(a is not None and len(a) not in (1, channels) for a in (affine.scale, affine.shift)):
        raise RejectError(f"the constant is not for {channels} channels")
    return affine


def _part(affine: Affine, start: int, count: int) -> Affine:
    scale, shift = (a if a is None or len(a) == 1 else a[start : start + count] for a in (affine.scale, affine.shift))
    return Affine(scale, shift)


def _convolution(part: Value | None) -> Op:
    op = None if part is None or part.role is not Role.RESULT else part.producer
    if part is None or op is None or op.domain or op.op_type not in ("Conv", "ConvTranspose"):
        raise RejectError("not all parts are convolutions")
    if part.is_output or not part.has_one_use:
        raise RejectError(f"{part!r} is used elsewhere")
    return op


def _counts_padding(pool: Op) -> bool:
    mode = ops.attribute(pool, "auto_pad") or "NOTSET"
    pads = any(ops.attribute(pool, "pads") or ()) or mode not in ("NOTSET", "VALID")
    return bool(ops.attribute(pool, "ceil_mode")) or (pads and bool(ops.attribute(pool, "count_include_pad")))
