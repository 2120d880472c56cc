"""Resizes to the size that is there already."""

from __future__ import annotations

from ....ir import Op, Value
from ....ops import constant_operand, has_operand
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ._facts import all_equal, example, same_type

_RESIZE = P.op("Resize", "Upsample")("x", ...).legacy()


@rule(
    _RESIZE,
    example=example(
        "(float[1,2,3,4] x) => (float[1,2,3,4] y) <float[4] one = {1, 1, 1, 1}> "
        '{ a = Resize<mode = "nearest">(x, "", one) y = Neg(a) }',
    ),
)
def nearest(rw: Rewriter, x: Value) -> Value:
    """Resize(x, scales of 1, mode="nearest") -> x, likewise Upsample, and Resize to the sizes of x

    Exact: with a scale of 1 each coordinate is mapped to itself, in every coordinate mode but `tf_crop_and_resize`
    (which looks at a region) and `tf_half_pixel_for_nn` (which lies between two elements).
    """
    _refuse_unless_same(rw.root, x)
    if rw.attr(rw.root, "mode") != "nearest":
        raise RejectError("it interpolates")
    return x


@rule(
    _RESIZE,
    numerics=Numerics.FINITE,
    example=example(
        "(float[1,2,3,4] x) => (float[1,2,3,4] y) <float[4] one = {1, 1, 1, 1}> "
        '{ a = Resize<mode = "linear">(x, "", one) y = Neg(a) }',
    ),
)
def interpolated(rw: Rewriter, x: Value) -> Value:
    """Resize(x, scales of 1, mode="linear") -> x, likewise Upsample, mode="cubic", and Resize to the sizes of x

    Applies as `nearest` does, without `antialias`. Equal for finite numbers: an element's own weight is 1, its
    neighbours', which an infinity or NaN may stand in, are 0.
    """
    _refuse_unless_same(rw.root, x)
    if rw.attr(rw.root, "mode") == "nearest" or rw.attr(rw.root, "antialias"):
        raise RejectError("it does not interpolate, or with a filter")
    return x


def _refuse_unless_same(op: Op, x: Value) -> None:
    """Raise RejectError unless every scale is 1 and coordinates stay where they are."""
    if op.attr("coordinate_transformation_mode", "") in ("tf_crop_and_resize", "tf_half_pixel_for_nn"):
        raise RejectError("coordinates are shifted")
    if op.op_type == "Upsample" or op.opset < 11:
        scales = constant_operand(op, 1)
    elif has_operand(op, "sizes"):
        if op.attr("keep_aspect_ratio_policy", "stretch") != "stretch" or not same_type(x, op.result):
            raise RejectError("the size may be another one")
        return
    else:
        scales = constant_operand(op, 2)
    if scales is None or not all_equal(scales, 1):
        raise RejectError("a scale may not be 1")
