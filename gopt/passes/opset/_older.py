"""Ops of an older meaning, said in operators that mean the same today.

Each function gets a builder for the target and the op, and returns the results. Sources: Changelog.md of ONNX, the
operators' texts at the versions named.
"""

from __future__ import annotations

from collections.abc import Callable

from ...ir import DType, Op, Value
from ...ops import NotAvailable, attribute, operands
from ...rewrite import Numerics
from ._stage import Made, Results, Stage, Target


def modernized(op: Op, target: Target) -> Made | None:
    """What stands for an op of an older meaning; None if nothing of ours does.

    Raises:
        NotAvailable: it cannot be said at the target.
    """
    entry = _OLDER.get(op.op_type)
    if entry is None:
        return None
    stage = Stage(op, target)
    return stage.made(entry[0](stage, op), entry[1])


def _flat(rw: Stage, op: Op) -> Results:
    """Softmax < 13 works on the matrix that Flatten makes at `axis`: f(x) -> Reshape(f(Flatten(x)), Shape(x))"""
    x, axis = rw.operand(0), attribute(op, "axis")
    rows = rw.Flatten(x, axis=axis)
    done = rw.op(op.op_type, rows, axis=-1)
    # Where a size is 0, a 0 in the target means that size itself.
    return _reshape(rw, done, rw.shape_of(x))


def _reshape(rw: Stage, x: Value, shape: Value) -> Value:
    known = shape.const
    surely = known is not None and 0 not in known.numpy()
    found: Value = rw.Reshape(x, shape, allowzero=None if surely or rw.version < 14 else 1)
    return found


def _broadcast(rw: Stage, op: Op) -> Results:
    """Binary operators < 7 align the second operand's first dim at `axis` of the first operand."""
    a, b = rw.operand(0), rw.operand(1)
    return rw.op(op.op_type, a, _aligned(rw, a, b, op.attr("axis")))


def _aligned(rw: Stage, a: Value, b: Value, axis: int) -> Value:
    """`b` with dims of 1 behind its own, so that broadcasting from the right finds it at `axis` of `a`."""
    behind = rw.rank(a) - axis % max(rw.rank(a), 1) - rw.rank(b)
    if behind < 0:
        raise NotAvailable("the operands do not broadcast")
    if not behind:
        return b
    rank = rw.rank(b)
    found: Value = rw.Unsqueeze(b, list(range(rank, rank + behind)))
    return found


def _slope(rw: Stage, op: Op) -> Results:
    """PRelu < 7 has a slope per channel, dim 1 of the operand."""
    x, slope = rw.operand(0), rw.operand(1)
    if rw.rank(slope) != 1:
        raise NotAvailable("the slope is no list")
    return rw.PRelu(x, _aligned(rw, x, slope, 1))


def _upsample(rw: Stage, op: Op) -> Results:
    """Upsample -> Resize, from coordinates divided by the scales and rounded down"""
    if op.opset < 7:
        raise NotAvailable("Upsample below version 7 names height and width")
    x, scales = operands(op)
    if rw.version < 10:
        return rw.Upsample(x, scales, mode=attribute(op, "mode"))
    return _resize(rw, x, scales, attribute(op, "mode"), "floor")


def _resize_10(rw: Stage, op: Op) -> Results:
    """Resize 10 -> Resize: the text leaves rounding open; ONNX Runtime rounds down when enlarging, up when shrinking"""
    x, scales = rw.operand(0), rw.operand(1)
    mode, rounding = attribute(op, "mode"), "floor"
    if mode == "nearest":
        if scales.const is None:
            raise NotAvailable("how Resize 10 rounds depends on its scales, which are computed")
        factors = scales.const.numpy()
        if (factors < 1).any():
            if (factors > 1).any():
                raise NotAvailable("Resize 10 rounds in two ways where it enlarges one axis and shrinks another")
            rounding = "ceil"
    if rw.version < 10:
        if rounding == "ceil":
            raise NotAvailable("Upsample does not shrink")
        return rw.Upsample(x, scales, mode=mode)
    return _resize(rw, x, scales, mode, rounding)


def _resize_11(rw: Stage, op: Op) -> Results:
    raise NotAvailable("the coordinates of tf_half_pixel_for_nn were withdrawn with version 13")


def _resize(rw: Stage, x: Value | None, scales: Value | None, mode: str, rounding: str) -> Results:
    if rw.version < 11:
        # Resize 10 has no attributes that say how; its own way is the one wanted.
        raise NotAvailable("Resize 10 does not say how it rounds")
    nearest = rounding if mode == "nearest" else None
    return rw.Resize(x, None, scales, mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode=nearest)


def _one_hot(rw: Stage, op: Op) -> Results:
    """OneHot 9 knows no index from the end: below 0 is out of range, so that all elements are the off value."""
    indices, depth, values = rw.operand(0), rw.operand(1), rw.operand(2)
    type_ = rw.type(indices)
    if type_.dtype in _UNSIGNED or (indices.const is not None and (indices.const.numpy() >= 0).all()):
        return rw.OneHot(indices, depth, values, axis=attribute(op, "axis"))
    if type_.dtype not in _BEYOND:
        raise NotAvailable("indices of this type below 0 mean something else since version 11")
    beyond = rw.scalar(_BEYOND[type_.dtype], indices)
    shown = rw.Where(rw.Less(indices, rw.scalar(0, indices)), beyond, indices)
    return rw.OneHot(shown, depth, values, axis=attribute(op, "axis"))


_UNSIGNED = (DType.UINT8, DType.UINT16, DType.UINT32, DType.UINT64)
# Beyond every depth that fits into memory.
_BEYOND = {DType.INT32: (1 << 31) - 1, DType.INT64: (1 << 62), DType.FLOAT: 2.0**62}


def _group_norm(rw: Stage, op: Op) -> Results:
    """GroupNormalization 18 scales each group: as InstanceNormalization of x with a group's channels in a row does"""
    x, scale, bias = rw.operand(0), rw.operand(1), rw.operand(2)
    return normalized_groups(rw, x, attribute(op, "num_groups"), scale, bias, attribute(op, "epsilon"))


def normalized_groups(rw: Stage, x: Value, groups: int, scale: Value, bias: Value, epsilon: float) -> Value:
    """Groups of channels, each less its mean, divided by its deviation, and scaled as one."""
    joined = rw.Reshape(x, [0, groups, -1])
    done = rw.InstanceNormalization(joined, scale, bias, epsilon=epsilon)
    return _reshape(rw, done, rw.shape_of(x))


def _tile(rw: Stage, op: Op) -> Results:
    """Tile 1 repeats along one axis."""
    x, tiles, axis = rw.operand(0), rw.operand(1), rw.operand(2)
    if tiles.const is None or axis.const is None:
        raise NotAvailable("Tile 1 with a computed axis or count")
    repeats = [1] * rw.rank(x)
    repeats[int(axis.const.numpy().reshape(-1)[0])] = int(tiles.const.numpy().reshape(-1)[0])
    return rw.Tile(x, repeats)


def _batch_norm(rw: Stage, op: Op) -> Results:
    """BatchNormalization with spatial=0 has means and deviations per element: (x - mean) / Sqrt(var + e) * scale + B"""
    if len([v for v in op.outputs if v is not None]) > 1 or (op.opset < 7 and not op.attr("is_test", 0)):
        raise NotAvailable("batch normalization for training has other results since version 14")
    if op.attr("spatial", 1):
        raise NotAvailable("batch normalization for training has other results since version 14")
    x, scale, bias, mean, var = rw.operand(0), rw.operand(1), rw.operand(2), rw.operand(3), rw.operand(4)
    root = rw.Sqrt(rw.Add(var, rw.scalar(attribute(op, "epsilon"), x)))
    done = rw.Add(rw.Mul(rw.Div(rw.Sub(x, mean), root), scale), bias)
    return (done, *(None,) * (len(op.outputs) - 1))


_Adapter = Callable[[Stage, Op], Results]


def _resize_old(rw: Stage, op: Op) -> Results:
    return _resize_10(rw, op) if op.opset < 11 else _resize_11(rw, op)


_OLDER: dict[str, tuple[_Adapter, Numerics]] = {
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), (_flat, Numerics.EXACT)),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor"), (_broadcast, Numerics.EXACT)),
    **dict.fromkeys(("Equal", "Greater", "Less"), (_broadcast, Numerics.EXACT)),
    "BatchNormalization": (_batch_norm, Numerics.ROUNDING),
    "GroupNormalization": (_group_norm, Numerics.ROUNDING),
    "OneHot": (_one_hot, Numerics.EXACT),
    "PRelu": (_slope, Numerics.EXACT),
    "Resize": (_resize_old, Numerics.ROUNDING),
    "Tile": (_tile, Numerics.EXACT),
    "Upsample": (_upsample, Numerics.ROUNDING),
}
