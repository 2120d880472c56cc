"""Functions of one operand with scalar constants: lines x -> x * scale + shift, and constants known by value."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import numpy as np

from ...ir import DType, Op, Value
from ...rewrite import P, Pattern, RejectError, Rewriter
from ._affine import FLOATS, affine_of, dtype_of, fits, rounded, shape_of, step

# Distance of 1 to the next number, and by how many of these a constant may be off: decimals that were cut off after
# seven digits, and constants of one type that were computed in another.
_EPSILON = {DType.FLOAT: 2.0**-23, DType.DOUBLE: 2.0**-52, DType.FLOAT16: 2.0**-10, DType.BFLOAT16: 2.0**-7}
_OFF = {DType.FLOAT: 4.0, DType.DOUBLE: 4.0, DType.FLOAT16: 1.0, DType.BFLOAT16: 1.0}
SINGLE = frozenset({DType.FLOAT, DType.FLOAT16})
"""Element types for which ONNX Runtime has, or casts to, a kernel of activations whose parameters are attributes."""
_LONGEST = 8
_T = TypeVar("_T")


def given(what: _T | None) -> _T:
    """What the pattern has made sure is there.

    Raises:
        RejectError: it is not.
    """
    if what is None:
        raise RejectError("an operand is absent")
    return what


class Line(NamedTuple):
    """x -> x * scale + shift."""

    scale: float = 1.0
    shift: float = 0.0

    def at(self, x: float) -> float:
        """The line's value at x."""
        return x * self.scale + self.shift

    def then(self, after: Line) -> Line:
        """This line followed by another."""
        return Line(self.scale * after.scale, self.shift * after.scale + after.shift)

    @property
    def ops(self) -> int:
        """How many ops it takes to compute."""
        if self.shift and self.scale == -1.0:
            return 1
        return (self.scale != 1.0) + (self.shift != 0.0)


def line(data: Pattern | str) -> Pattern:
    """Up to two steps of a line from `data`, which may be `data` itself."""
    return some_line(data) | (P.any(data) if isinstance(data, str) else data)


def some_line(data: Pattern | str) -> Pattern:
    """One step or two."""
    return step(step(data)) | step(data)


def line_between(top: Value, data: Value) -> Line:
    """The line that the ops from `data` down to `top` compute.

    Raises:
        RejectError: it has a constant of more elements than one, or one that may enlarge `data`.
    """
    chain: list[tuple[Op, Value]] = []
    value: Value | None = top
    while value is not data:
        op = None if value is None else value.producer
        if op is None or len(chain) > _LONGEST:
            raise RejectError("there is no line between the two")
        value = next((v for v in op.inputs if v is data or (v is not None and v.const is None)), None)
        if value is None:
            raise RejectError("a line of constants")
        chain.append((op, value))
    whole = Line()
    for op, operand in reversed(chain):
        one = affine_of(op, operand)
        for array in (one.scale, one.shift):
            if array is not None and (array.size != 1 or not fits(array.shape, shape_of(data))):
                raise RejectError("a constant is no scalar")
        scale = 1.0 if one.scale is None else float(one.scale.reshape(-1)[0])
        shift = 0.0 if one.shift is None else float(one.shift.reshape(-1)[0])
        whole = whole.then(Line(scale, shift))
    if not (math.isfinite(whole.scale) and math.isfinite(whole.shift)) or not whole.scale:
        raise RejectError("the constants of a line overflow, or vanish")
    return whole


def scalar(value: Value | None, data: Value) -> float:
    """The only element of a floating-point constant that does not enlarge `data`.

    Raises:
        RejectError: it is something else.
    """
    tensor = None if value is None else value.const
    if tensor is None or tensor.size != 1 or tensor.dtype not in FLOATS or not fits(tensor.shape, shape_of(data)):
        raise RejectError("a constant is no scalar")
    number = float(tensor.numpy().reshape(-1).astype(np.float64)[0])
    if not math.isfinite(number):
        raise RejectError("a constant is not finite")
    return number


def keep_shape(x: Value, *constants: Value | None) -> None:
    """Raise RejectError if one of the constants (None is none) may enlarge `x`."""
    for value in constants:
        if value is not None and (value.const is None or not fits(value.const.shape, shape_of(x))):
            raise RejectError("a constant may enlarge its operand")


def floating(x: Value) -> DType:
    """The element type of a floating-point value.

    Raises:
        RejectError: it is of another one, or unknown.
    """
    dtype = dtype_of(x)
    if dtype is None or dtype not in FLOATS:
        raise RejectError("not known to be of floating-point numbers")
    return dtype


def single(x: Value) -> DType:
    """The element type of a value if it is FLOAT or FLOAT16.

    Raises:
        RejectError: it is not: ONNX Runtime has no kernel, and attributes are not exact enough for doubles.
    """
    dtype = dtype_of(x)
    if dtype is None or dtype not in SINGLE:
        raise RejectError("not known to be of single or half precision")
    return dtype


def near(number: float, wanted: float, dtype: DType) -> bool:
    """True if a constant of a type can be meant to be `wanted`; of 0 only what rounding makes of 1 - 1."""
    return abs(number - wanted) <= _OFF[dtype] * _EPSILON[dtype] * (abs(wanted) or 1.0)


def require(number: float, wanted: float, dtype: DType) -> None:
    """Raise RejectError unless a constant of a type can be meant to be `wanted`."""
    if not near(number, wanted, dtype):
        raise RejectError(f"{number:.9g} is not {wanted:.9g}")


def emit_line(rw: Rewriter, x: Value, to: Line, dtype: DType) -> Value:
    """As few ops as compute a line of `x`: `x` itself, Neg, Mul, Add, Sub, or Mul and Add.

    Raises:
        RejectError: a constant overflows, or becomes so small that it loses precision.
    """
    result: Value
    if to.scale == -1.0:
        result = rw.Sub(_constant(rw, to.shift, dtype, "shift"), x) if to.shift else rw.Neg(x)
        return result
    result = x if to.scale == 1.0 else rw.Mul(x, _constant(rw, to.scale, dtype, "scale"))
    return rw.Add(result, _constant(rw, to.shift, dtype, "shift")) if to.shift else result


def _constant(rw: Rewriter, number: float, dtype: DType, name: str) -> Value:
    return rw.const(rounded(np.asarray(number), dtype, is_factor=name == "scale"), name=name)
