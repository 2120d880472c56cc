"""InstanceNormalization and GroupNormalization: what follows them per channel, and groups that are reshaped."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....ir import DType, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ...example import example
from .._affine import Affine, affine_of, along, dtype_of, shape_of, step
from .._scalars import given
from ._lines import lined

_GROUP = 21
_TYPES = (DType.FLOAT, DType.FLOAT16)
_CHANNELS = P.op("InstanceNormalization", "GroupNormalization")


@rule(
    step(_CHANNELS("x", P.const("scale"), P.const("bias")).as_("norm")),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,2,3] x) => (float[1,2,3] y) <float[2] s = {1, 2}, float[2] b = {3, 4}, float[2,1] c = {5, 6}> "
        "{ a = InstanceNormalization(x, s, b) y = Mul(a, c) }"
    ),
)
def instance_line(rw: Rewriter, norm: Op, x: Value, scale: Value, bias: Value) -> Value:
    """InstanceNormalization(x, s, b) * c + d -> InstanceNormalization(x, s * c, b * c + d); GroupNormalization too

    Applies to constants that vary along the channels alone. Computed in double precision, rounded once.
    """
    shape, wide = shape_of(x), given(scale.const).shape
    if shape is None or len(shape) < 3 or len(wide) != 1 or dtype_of(scale) is not dtype_of(x):
        raise RejectError("the rank is not known, or the weights are of another type")
    known = (shape[0], wide[0], *shape[2:])
    step_ = affine_of(rw.root, norm.result)
    channels = Affine(along(step_.scale, known, 1), along(step_.shift, known, 1))
    attrs: dict[str, Any] = rw.copy_attrs(norm)
    operands = lined(rw, scale, bias, channels, wide)
    result: Value = rw.op(norm.op_type, x, *operands, name=norm.name, **attrs)
    return result


@rule(
    P.Reshape(P.InstanceNormalization(P.Reshape("x", ...), P.const("scale"), P.const("bias")).as_("norm"), ...),
    numerics=Numerics.ROUNDING,
    since=_GROUP,
    example=example(
        "(float[1,4,3,3] x) => (float[1,4,3,3] y) <float[2] s = {1, 1}, float[2] b = {0, 0}, "
        "int64[3] inner = {0, 2, -1}, int64[4] outer = {1, 4, 3, 3}> "
        "{ a = Reshape(x, inner) c = InstanceNormalization(a, s, b) y = Reshape(c, outer) }",
        21,
    ),
)
def group(rw: Rewriter, norm: Op, x: Value, scale: Value, bias: Value) -> Value:
    """Reshape(InstanceNormalization(Reshape(x, [N, G, -1]), s, b)) -> GroupNormalization(x, s, b; G)

    Applies if both Reshapes keep the batch, the outer one undoes the inner one, and the channels are known and a
    multiple of G; scale and bias of a group become those of each of its channels. By the operator's clause; half
    precision is computed in single precision.
    """
    outer, inner = shape_of(x), shape_of(given(norm.inputs[0]))
    if outer is None or inner is None or len(outer) < 3 or shape_of(rw.root.result) != outer:
        raise RejectError("the outer Reshape may not undo the inner one")
    groups, channels = inner[1], outer[1]
    if inner[0] != outer[0] or not isinstance(groups, int) or not isinstance(channels, int) or channels % groups:
        raise RejectError("the batch or the channels are cut apart")
    dtype = dtype_of(x)
    if dtype not in _TYPES or dtype_of(scale) is not dtype:
        raise RejectError("the weights are of another type, or ONNX Runtime has no kernel for theirs")
    weights = (np.repeat(rw.array(v).reshape(-1), channels // groups) for v in (scale, bias))
    operands = [rw.const(w, name=n) for w, n in zip(weights, ("scale", "bias"))]
    result: Value = rw.GroupNormalization(x, *operands, num_groups=groups, epsilon=rw.attr(norm, "epsilon"))
    return result
