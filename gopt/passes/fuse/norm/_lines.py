"""What the rules of this family share: constants that scale and shift a normalised value."""

from __future__ import annotations

import numpy as np

from ....ir import Array, DType, Op, Shape, Value
from ....rewrite import RejectError, Rewriter
from .._affine import Affine, dtype_of, elements, rounded, shape_of
from .._scalars import given, scalar


def epsilon(x: Value, eps: Value) -> float:
    """The number that keeps a variance from being zero.

    Raises:
        RejectError: it is no scalar, or not positive.
    """
    number = scalar(eps, x)
    if number <= 0:
        raise RejectError("there is no epsilon")
    return number


def sizes(x: Value, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of some axes.

    Raises:
        RejectError: one is not known, or 0.
    """
    shape = given(shape_of(x))
    known = [shape[a] for a in axes]
    if not all(isinstance(d, int) and d > 0 for d in known):
        raise RejectError("the sizes of the normalised axes are not known")
    return tuple(d for d in known if isinstance(d, int))


def lined(
    rw: Rewriter, scale: Value, bias: Value | None, affine: Affine, wide: tuple[int, ...]
) -> tuple[Value, Value | None]:
    """The scale and bias of an operator that is followed by an affine map whose constants fit them.

    Computed in double precision, rounded once. Gives None where there was no bias and there need be none.

    Raises:
        RejectError: a constant is not finite, overflows or vanishes.
    """
    dtype = given(dtype_of(scale))
    first: Array = elements(scale)
    second = None if bias is None else elements(bias)
    if affine.scale is not None:
        first = first * affine.scale
        second = None if second is None else second * affine.scale
    if affine.shift is not None:
        second = affine.shift if second is None else second + affine.shift
    made = _constant(rw, first, dtype, wide, "scale")
    return made, None if second is None else _constant(rw, second, dtype, wide, "bias")


def _constant(rw: Rewriter, array: Array, dtype: DType, wide: tuple[int, ...], name: str) -> Value:
    return rw.const(rounded(np.broadcast_to(array, wide), dtype), name=name)


def refuse_other_results(norm: Op) -> None:
    """Raise RejectError if a result besides the first is used."""
    if any(v is not None and v.is_needed for v in norm.outputs[1:]):
        raise RejectError("mean or deviation are used")


def rank_of(x: Value) -> int:
    """The rank of a value.

    Raises:
        RejectError: it is not known.
    """
    shape: Shape = given(shape_of(x))
    return len(shape)
