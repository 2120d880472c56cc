"""One index of an axis (ONNX operator Gather)."""

from __future__ import annotations

from ...ir import Op, Value
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example


@rule(
    P.Gather("x", P.const("index")).as_("op"),
    example=example("(float[2,3,4] x) => (float[2,4] y) <int64 i = {1}> { y = Gather<axis = 1>(x, i) }"),
)
def one(rw: Rewriter, x: Value, index: Value, op: Op) -> Value:
    """Gather(x, i) -> Squeeze(Slice(x, i, i + 1))

    Applies where i is a single number without dims and the size of the axis is known. Exact: the same elements.
    """
    tensor, shape = index.const, rw.shape(x)
    if tensor is None or tensor.shape or shape is None:
        raise RejectError("it is no index without dims, or the rank is unknown")
    axis = rw.attr(op, "axis") % len(shape)
    size = shape[axis]
    if not isinstance(size, int):
        raise RejectError("the size of the axis is unknown")
    place = int(tensor.item())
    if not -size <= place < size:
        raise RejectError("the index is out of range")
    place %= size
    result: Value = rw.Squeeze(rw.Slice(x, [place], [place + 1], [axis]), [axis])
    return result
