"""Slices, pads, transposes and other moves of elements that move none."""

from __future__ import annotations

from ....ir import Dim, Value
from ....ops import has_operand
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ._facts import example, shape_of

_FAR = (1 << 31) - 1
"""Exporters write "to the end" as this number or a larger one; no dim reaches it."""


@rule(
    P.Slice("x", ...),
    example=example(
        "(float[N,3] x) => (float[N,3] y) <int64[2] begin = {0, 0}, int64[2] end = {9223372036854775807, 3}> "
        "{ a = Slice(x, begin, end) y = Neg(a) }",
    ),
)
def slice(rw: Rewriter, x: Value) -> Value:
    """Slice(x, from the first element, to the last one) -> x

    Applies if the step is 1 and the result provably has the shape of x, or all parameters are constant and each axis is
    taken whole: from 0 (or a number that counts back to it) to the dim or beyond it. A dim of 1 may be taken with any
    step. Exact.
    """
    before, after = shape_of(x), shape_of(rw.root.result)
    if before is not None and after is not None:
        if before == after and _steps_of_one(rw):
            return x  # a step of 1 gives as many elements only if it leaves out none
        if any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(before, after)):
            raise RejectError("the shape is another one")
    starts, ends = rw.ints(rw.root, "starts"), rw.ints(rw.root, "ends")
    if starts is None or ends is None or len(starts) != len(ends):
        raise RejectError("the bounds are not constant")
    axes = _listed(rw, "axes", tuple(range(len(starts))))
    steps = _listed(rw, "steps", (1,) * len(starts))
    if len(axes) != len(starts) or len(steps) != len(starts):
        raise RejectError("the parameters differ in length")
    for axis, start, end, step in zip(axes, starts, ends, steps):
        dim = None if before is None or not -len(before) <= axis < len(before) else before[axis]
        if not _is_whole(dim, start, end, step):
            raise RejectError(f"axis {axis} is cut")
    return x


def _steps_of_one(rw: Rewriter) -> bool:
    steps = rw.ints(rw.root, "steps")
    return not has_operand(rw.root, "steps") if steps is None else all(s == 1 for s in steps)


def _listed(rw: Rewriter, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """A parameter that may be absent."""
    found = rw.ints(rw.root, name)
    if found is None and has_operand(rw.root, name):
        raise RejectError(f"{name} is not constant")
    return default if found is None else found


def _is_whole(dim: Dim | None, start: int, end: int, step: int) -> bool:
    if isinstance(dim, int):
        return step != 0 and len(range(dim)[start:end:step]) == dim and (step == 1 or dim < 2)
    return step == 1 and start == 0 and end >= _FAR


@rule(
    P.Pad("x", P.const("pads", value=0), ...),
    example=example(
        "(float[N,3] x) => (float[N,3] y) <int64[4] none = {0, 0, 0, 0}> { a = Pad(x, none) y = Neg(a) }",
    ),
)
def pad(rw: Rewriter, x: Value, pads: Value) -> Value:
    """Pad(x, 0) -> x

    In every mode. Exact: nothing is added.
    """
    return x


@rule(
    P.Transpose("x"),
    example=example("(float[N,3] x) => (float[N,3] y) { a = Transpose<perm = [0, 1]>(x) y = Neg(a) }"),
)
def transpose(rw: Rewriter, x: Value) -> Value:
    """Transpose(x, perm=[0, 1, ...]) -> x

    Without `perm` the axes are reversed, which changes nothing for a rank below 2. Exact.
    """
    perm = rw.attr(rw.root, "perm")
    if perm is None:
        shape = shape_of(x)
        if shape is None or len(shape) > 1:
            raise RejectError("the axes are reversed")
    elif any(axis != place for place, axis in enumerate(perm)):
        raise RejectError("the axes change places")
    return x


@rule(
    P.op("DepthToSpace", "SpaceToDepth")("x", blocksize=1),
    example=example("(float[1,2,3,4] x) => (float[1,2,3,4] y) { a = DepthToSpace<blocksize = 1>(x) y = Neg(a) }"),
)
def block_of_one(rw: Rewriter, x: Value) -> Value:
    """DepthToSpace(x, blocksize=1) -> x, likewise SpaceToDepth

    Exact: blocks of one element are moved nowhere.
    """
    return x


@rule(
    P.op("MaxPool", "AveragePool")("x"),
    numerics=Numerics.FINITE,
    example=example(
        "(float[1,2,3,4] x) => (float[1,2,3,4] y) "
        "{ a = AveragePool<kernel_shape = [1, 1], strides = [1, 1]>(x) y = Neg(a) }",
    ),
)
def pool_of_one(rw: Rewriter, x: Value) -> Value:
    """MaxPool(x, kernel_shape=[1, 1]) -> x, likewise AveragePool

    Applies with strides of 1 and no padding, if the indices of MaxPool are not used. Equal but for -0, of which a sum
    makes 0, and NaN, which some runtimes do not take for the largest number.
    """
    for name, neutral in (("kernel_shape", 1), ("strides", 1), ("pads", 0)):
        numbers = rw.attr(rw.root, name)
        if numbers is None and name != "kernel_shape":
            continue
        if numbers is None or any(n != neutral for n in numbers):
            raise RejectError(f"the window is more than one element: {name} is {numbers}")
    return x
