"""Pools that NPUs lack, by the mean of a window (ONNX operator LpPool)."""

from __future__ import annotations

from math import prod

import numpy as np

from ...ir import Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example


@rule(
    P.LpPool("x").as_("op"),
    numerics=Numerics.ROUNDING,
    example=example(
        "(float[1,3,8,8] x) => (float[1,3,4,4] y) "
        "{ y = LpPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>(x) }"
    ),
)
def norm(rw: Rewriter, x: Value, op: Op) -> Value:
    """LpPool(x) -> Sqrt(n AveragePool(x x)), n being the elements of a window; likewise for other powers

    Padding counts as zeros in both. Applies without dilations, to explicit pads whose windows do not reach beyond them.
    Rounds the mean.
    """
    power, kernel = int(rw.attr(op, "p")), rw.ints(op, "kernel_shape")
    if kernel is None or power < 1 or rw.attr(op, "auto_pad") not in ("NOTSET", "VALID"):
        raise RejectError("pads are computed")
    if rw.attr(op, "ceil_mode") or any(d != 1 for d in rw.ints(op, "dilations") or ()):
        raise RejectError("the windows are dilated, or reach beyond the pads")
    attrs = {name: list(found) for name in ("strides", "pads") if (found := rw.ints(op, name))}
    if power == 1:
        raised = rw.Abs(x)
    else:
        raised = rw.Mul(x, x) if power == 2 else rw.Pow(rw.Abs(x), rw.const(np.asarray(float(power)), like=x))
    mean = rw.AveragePool(raised, kernel_shape=list(kernel), count_include_pad=1, **attrs)
    total: Value = rw.Mul(mean, rw.const(np.asarray(float(prod(kernel))), like=x))
    if power == 1:
        return total
    result: Value = rw.Sqrt(total) if power == 2 else rw.Pow(total, rw.const(np.asarray(1 / power), like=x))
    return result
