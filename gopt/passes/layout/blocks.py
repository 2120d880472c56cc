"""DepthToSpace and SpaceToDepth, which exporters write as Reshape, Transpose, Reshape."""

from __future__ import annotations

from math import isqrt

from ...ir import Dim, DType, Op, Shape, Value
from ...ops.sizes import product
from ...rewrite import P, RejectError, Rewriter, rule
from ..example import example
from ._orders.perms import Perm, perm_of, without
from ._shapes import RESHAPES, known_shape

_RESHAPES = P.op(*RESHAPES)
_KERNELS = (DType.FLOAT, DType.DOUBLE)
"""Types for which every ONNX Runtime has these operators."""

_DCR: Perm = (0, 3, 4, 1, 5, 2)
_CRD: Perm = (0, 1, 4, 2, 5, 3)
_TO_DEPTH: Perm = (0, 3, 5, 1, 2, 4)


@rule(
    _RESHAPES(P.Transpose(_RESHAPES("x", ...).as_("inner")).as_("transpose"), ...).as_("outer"),
    example=example(
        "(float[N,8,3,5] x) => (float[N,2,6,10] y) <int64[6] s = {0, 2, 2, 2, 3, 5}, int64[4] t = {0, 2, 6, 10}> "
        "{ a = Reshape(x, s) b = Transpose<perm = [0, 1, 4, 2, 5, 3]>(a) y = Reshape(b, t) }"
    ),
)
def to_space(rw: Rewriter, x: Value, transpose: Op, outer: Op) -> Value:
    """Reshape(Transpose(Reshape(x))) -> DepthToSpace(x), in either mode

    Applies to images of a known number of channels, of which a block becomes a square of pixels, and to float and
    double (ONNX operator DepthToSpace). Exact.
    """
    batch, channels, height, width = _image(rw, x)
    after = known_shape(outer.result)
    left = after[1] if len(after) == 4 else None
    if not isinstance(channels, int) or not isinstance(left, int) or not left or channels % left:
        raise RejectError("the channels do not become fewer by a known factor")
    size = isqrt(channels // left)
    if size < 2 or size * size * left != channels:
        raise RejectError("the factor is no square")
    if after != (batch, left, product((height, size)), product((width, size))):
        raise RejectError("the pixels do not become more by as much")
    modes = {"DCR": ((size, size, left), _DCR), "CRD": ((left, size, size), _CRD)}
    for mode, (depth, perm) in modes.items():
        if _moves(transpose, (batch, *depth, height, width), perm):
            result: Value = rw.DepthToSpace(x, blocksize=size, mode=mode)
            return result
    raise RejectError("the axes are permuted in another way")


@rule(
    _RESHAPES(P.Transpose(_RESHAPES("x", ...).as_("inner")).as_("transpose"), ...).as_("outer"),
    example=example(
        "(float[N,2,6,10] x) => (float[N,8,3,5] y) <int64[6] s = {0, 2, 3, 2, 5, 2}, int64[4] t = {0, 8, 3, 5}> "
        "{ a = Reshape(x, s) b = Transpose<perm = [0, 3, 5, 1, 2, 4]>(a) y = Reshape(b, t) }"
    ),
)
def to_depth(rw: Rewriter, x: Value, transpose: Op, outer: Op) -> Value:
    """Reshape(Transpose(Reshape(x))) -> SpaceToDepth(x)

    Applies to images of a known number of channels, of which a square of pixels becomes a block of channels, and to
    float and double (ONNX operator SpaceToDepth). Exact.
    """
    batch, channels, height, width = _image(rw, x)
    after = known_shape(outer.result)
    more = after[1] if len(after) == 4 else None
    if not isinstance(channels, int) or not isinstance(more, int) or not channels or more % channels:
        raise RejectError("the channels do not become more by a known factor")
    size = isqrt(more // channels)
    if size < 2 or size * size * channels != more:
        raise RejectError("the factor is no square")
    if (batch, product((after[2], size)), product((after[3], size))) != (after[0], height, width):
        raise RejectError("the pixels do not become fewer by as much")
    if not _moves(transpose, (batch, channels, after[2], size, after[3], size), _TO_DEPTH):
        raise RejectError("the axes are permuted in another way")
    result: Value = rw.SpaceToDepth(x, blocksize=size)
    return result


def _image(rw: Rewriter, x: Value) -> Shape:
    """The four dims of an image."""
    shape = known_shape(x)
    if len(shape) != 4 or 0 in shape or rw.dtype(x) not in _KERNELS:
        raise RejectError("it is no image of a type for which there is such an operator")
    return shape


def _moves(transpose: Op, shape: tuple[Dim, ...], perm: Perm) -> bool:
    """True if a Transpose does what one by `perm` does to a tensor of a shape; dims of 1 do not count."""
    own = perm_of(transpose)
    source = transpose.inputs[0]
    if own is None or source is None:
        return False
    return _moved(known_shape(source), own) == _moved(shape, perm)


def _moved(shape: tuple[Dim, ...], perm: Perm) -> tuple[tuple[Dim, ...], Perm]:
    ones = [a for a, d in enumerate(shape) if d == 1]
    return tuple(d for d in shape if d != 1), without(perm, ones)
