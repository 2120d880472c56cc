"""Targets of Reshape, Expand, Resize and Slice that are computed from sizes, where a constant says the same."""

from __future__ import annotations

import numpy as np

from ...ir import Dim, Value
from ...ops import attribute, has_operand, operands
from ...ops.bounds import is_at_most, is_filled, is_size
from ...ops.contents import entries
from ...ops.symbolic import exact_quotient
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example


@rule(
    P.Reshape("x", "target"),
    since=5,
    example=example(
        "(float[N,3,M] x) => (float y) <int64[1] z = {0}, int64[1] rest = {-1}> "
        "{ s = Shape(x) n = Gather(s, z) t = Concat<axis = 0>(n, rest) y = Reshape(x, t) }"
    ),
)
def reshape(rw: Rewriter, x: Value, target: Value) -> Value:
    """Reshape(x, sizes) -> Reshape(x, constant)

    Applies where every size is a known number, or that of x at the same place (written 0), but for one at most (written
    -1): the number of elements leaves no choice for it, unless there are none. So -1 is written only if the other dims
    are not 0 where no input is empty, or the size was -1 before. Exact.
    """
    if target.const is not None:
        raise RejectError("the target is constant")
    before, after = rw.shape(x), rw.shape(rw.root.result)
    if before is None or after is None:
        raise RejectError("a rank is not known")
    found = [_reshaped(axis, size, before) for axis, size in enumerate(after)]
    if found.count(-1) > 1:
        raise RejectError("more than one size is neither known nor that of the operand at the same place")
    others = [size for size, written in zip(after, found) if written != -1]
    if -1 in found and not _was_wild(target, found.index(-1)) and not all(map(is_filled, others)):
        raise RejectError("another size may be 0")
    result: Value = rw.Reshape(x, found)
    return result


def _was_wild(target: Value, place: int) -> bool:
    wanted = entries(target)
    return wanted is not None and wanted[place] == -1


def _reshaped(axis: int, size: Dim, before: tuple[Dim, ...]) -> int:
    if isinstance(size, int):
        if size == 0:
            raise RejectError("a size is 0, which means another thing in a target")
        return size
    return 0 if axis < len(before) and before[axis] is size else -1


@rule(
    P.Expand("x", "target"),
    example=example(
        "(float[N,1] x) => (float y) <int64[1] z = {0}, int64[1] seven = {7}> "
        "{ s = Shape(x) n = Gather(s, z) t = Concat<axis = 0>(n, seven) y = Expand(x, t) }"
    ),
)
def expand(rw: Rewriter, x: Value, target: Value) -> Value:
    """Expand(x, sizes) -> Expand(x, constant)

    Applies where every size is a known number, or that of x along the axis, for which 1 does as well. Exact.
    """
    before, wanted = rw.shape(x), entries(target)
    if target.const is not None or before is None or wanted is None:
        raise RejectError("the target is constant, or not known")
    lead = len(wanted) - len(before)
    sizes = [_expanded(size, before[k - lead] if k >= lead else 1) for k, size in enumerate(wanted)]
    result: Value = rw.Expand(x, sizes)
    return result


def _expanded(size: Dim | None, before: Dim) -> int:
    if isinstance(size, int) and size >= 0:
        return size
    if size is not None and size is before:
        return 1
    raise RejectError("a size is neither known nor that of the operand")


@rule(
    P.Resize("x", ...),
    since=11,
    example=example(
        "(float[1,1,N,4] x) => (float y) <int64[2] two = {0, 1}, int64[2] rest = {2, 3}, int64[2] k = {2, 3}> "
        "{ s = Shape(x) a = Gather(s, two) b = Gather(s, rest) c = Mul(b, k) t = Concat<axis = 0>(a, c) "
        'y = Resize<mode = "nearest", coordinate_transformation_mode = "asymmetric">(x, , , t) }'
    ),
)
def resize(rw: Rewriter, x: Value) -> Value:
    """Resize(x, sizes=k * dims) -> Resize(x, scales=k)

    Applies to sizes that are whole multiples of the dims, with the aspect ratio not kept: the scale that follows from
    sizes is then exactly k. Exact.
    """
    op = rw.root
    given = operands(op)
    sizes = given[3] if len(given) > 3 else None
    before = rw.shape(x)
    found = entries(sizes)
    if sizes is None or sizes.const is not None or found is None or before is None:
        raise RejectError("there are no sizes that are computed and known")
    if attribute(op, "keep_aspect_ratio_policy") not in (None, "stretch"):
        raise RejectError("the aspect ratio is kept")
    if attribute(op, "coordinate_transformation_mode") == "tf_crop_and_resize":
        raise RejectError("a region is cropped")
    axes = attribute(op, "axes") or tuple(range(len(before)))
    if len(axes) != len(found):
        raise RejectError("a size an axis is needed")
    scales = [_scale(size, before[axis]) for axis, size in zip(axes, found)]
    factors = rw.const(np.array(scales, np.float32), name="scales")
    result: Value = rw.Resize(x, given[1], factors, None, **rw.copy_attrs(op))
    return result


def _scale(size: Dim | None, before: Dim) -> int:
    ratio = None if size is None or before == 0 else exact_quotient(size, before)
    if not isinstance(ratio, int) or ratio < 1:
        raise RejectError("a size is not known to be a multiple of the dim")
    return ratio


@rule(
    P.Slice("x", P.const("starts"), "ends", ...),
    since=10,
    example=example(
        "(float[N,3,M] x) => (float y) <int64[1] one = {1}, int64 z = {0}, int64[1] axis = {0}> "
        "{ s = Shape(x) n = Gather(s, axis) y = Slice(x, one, n, axis) }"
    ),
)
def slice_end(rw: Rewriter, x: Value, starts: Value, ends: Value) -> Value:
    """Slice(x, starts, sizes) -> Slice(x, starts, to the end)

    Applies to forward slices with ends that are numbers, or certainly not before the end of the axis. Exact.
    """
    op = rw.root
    shape, found = rw.shape(x), entries(ends)
    axes, steps = rw.ints(op, "axes"), rw.ints(op, "steps")
    if ends.const is not None or shape is None or found is None:
        raise RejectError("the ends are constant, or not known")
    if axes is None:
        if has_operand(op, "axes"):
            raise RejectError("the axes are not constant")
        axes = tuple(range(len(found)))
    if (steps is None and has_operand(op, "steps")) or any(s < 1 for s in steps or ()):
        raise RejectError("it is no forward slice")
    assert starts.const is not None
    # The largest number of the type of all bounds: that of 64 bits would be -1 in 32 of them.
    last = int(np.iinfo(starts.const.dtype.numpy).max)
    constant = [_end(end, shape[axis], last) for end, axis in zip(found, axes, strict=True)]
    result: Value = rw.Slice(x, starts, rw.const(constant, like=starts), *operands(op)[3:])
    return result


def _end(end: Dim | None, dim: Dim, last: int) -> int:
    if isinstance(end, int):
        return end
    if end is None or not is_size(end) or not is_at_most(dim, end):
        raise RejectError("an end is not known to be that of the axis")
    return last
