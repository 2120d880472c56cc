"""Elementwise arithmetic (ONNX operators Add ... Where): shape rules and kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from ..ir import Array, Op, TensorType, Type
from .evaluate import Call, NoKernel
from .numeric import Map, Unary, binary, given, is_float, is_integer, same_dtype, to_integers, unary, widened
from .registry import define, kernel
from .shapes import broadcast, broadcast_all, same_as_first, tensor, typed


def broadcast_two(op: Op) -> Sequence[Type | None]:
    """Shape rule of binary operators: the broadcast shape, the first operand's element type."""
    a, b = map(tensor, op.inputs)
    if a is None:
        return ()
    if b is None:
        return (TensorType(a.dtype),)
    shape = broadcast(a.shape, b.shape)
    return (b if shape is b.shape and a.dtype is b.dtype else typed(a, a.dtype, shape),)


def broadcast_many(op: Op) -> Sequence[Type | None]:
    """Shape rule of variadic operators: all operands broadcast."""
    found = [tensor(v) for v in op.inputs]
    known = [t for t in found if t is not None]
    if not known:
        return ()
    shape = broadcast_all([None if t is None else t.shape for t in found])
    return (typed(known[0], known[0].dtype, shape),)


def where_rule(op: Op) -> Sequence[Type | None]:
    """Shape rule of Where: condition and both branches broadcast."""
    condition, a, b = map(tensor, op.inputs)
    branch = a or b
    if branch is None:
        return ()
    shape = broadcast_all([None if t is None else t.shape for t in (condition, a, b)])
    return (typed(branch, branch.dtype, shape),)


# -- kernels ---------------------------------------------------------------------------------------------------------


def _divide(a: Array, b: Array) -> Any:
    """Integers truncate toward zero; what traps or wraps in C is left to the runtime."""
    if is_float(a):
        return np.divide(a, b)
    if not b.all():
        raise NoKernel("integer division by zero")
    if a.dtype.kind == "i" and bool((b == -1).any()) and bool((a == np.iinfo(a.dtype).min).any()):
        raise NoKernel("integer division that overflows")
    quotient = np.floor_divide(a, b)
    # Rounded down where the signs differ and something remains: one too low.
    return quotient + ((quotient < 0) & (quotient * b != a)) if a.dtype.kind == "i" else quotient


def _magnitude(x: Array) -> float:
    return float(np.max(np.abs(x.astype(np.float64)), initial=0))


@kernel("Mod")
def mod(call: Call) -> Array:
    """With fmod the result has the dividend's sign (C), without it the divisor's (Python); then only for integers."""
    a, b = call[0], call[1]
    dtype = same_dtype(a, b)
    if is_float(a):
        if not call.attribute("fmod"):
            raise NoKernel("Mod of floats without fmod")
        return np.asarray(np.fmod(widened(a), widened(b))).astype(dtype)
    if not b.all():
        raise NoKernel("integer division by zero")
    if not call.attribute("fmod"):
        return np.asarray(np.mod(a, b))
    if a.dtype.itemsize == 8 and max(map(_magnitude, (a, b))) > 2.0**53:
        raise NoKernel("integers that a double does not hold, in which some runtimes compute fmod")
    return np.asarray(np.fmod(a, b))


@kernel("Pow")
def power(call: Call) -> Array:
    """The result has the base's type. Mixed types and integers are computed in double, as C++ `std::pow` does."""
    base, exponent = call[0], call[1]
    if is_float(base) and is_float(exponent) and base.dtype.itemsize == exponent.dtype.itemsize:
        return np.asarray(np.power(widened(base), widened(exponent))).astype(base.dtype)
    result = np.power(base.astype(np.float64), exponent.astype(np.float64))
    if is_float(base):
        return np.asarray(result).astype(base.dtype)
    if not bool(np.all(np.abs(result) <= 2.0**53)):
        raise NoKernel("integer power beyond what a double holds exactly")
    return to_integers(result, base.dtype)


@kernel("BitShift")
def bit_shift(call: Call) -> Array:
    """Shifts by the width of the type or more are undefined in C."""
    a, b = call[0], call[1]
    dtype = same_dtype(a, b)
    if dtype.kind != "u" or bool((b >= 8 * dtype.itemsize).any()):
        raise NoKernel("shift by more than the width")
    direction = call.attribute("direction")
    if direction not in ("LEFT", "RIGHT"):
        raise NoKernel(f"shift to the {direction!r}")
    return np.asarray(np.left_shift(a, b) if direction == "LEFT" else np.right_shift(a, b))


@kernel("Sum")
def add_all(call: Call) -> Array:
    """Added from left to right."""
    arrays = given(call)
    dtype = same_dtype(*arrays)
    return np.asarray(reduce(np.add, map(widened, arrays))).astype(dtype, copy=False)


@kernel("Mean")
def mean(call: Call) -> Array:
    """The sum from left to right, divided by the number of operands."""
    arrays = given(call)
    dtype = same_dtype(*arrays)
    total = reduce(np.add, map(widened, arrays))
    return np.asarray(total / total.dtype.type(len(arrays))).astype(dtype)


@kernel("Max")
def maximum(call: Call) -> Array:
    """NaN wins."""
    arrays = given(call)
    dtype = same_dtype(*arrays)
    return np.asarray(reduce(np.maximum, map(widened, arrays))).astype(dtype, copy=False)


@kernel("Min")
def minimum(call: Call) -> Array:
    """NaN wins."""
    arrays = given(call)
    dtype = same_dtype(*arrays)
    return np.asarray(reduce(np.minimum, map(widened, arrays))).astype(dtype, copy=False)


@kernel("Where")
def where(call: Call) -> Array:
    """Elements of the one or the other."""
    condition, a, b = call[0], call[1], call[2]
    same_dtype(a, b)
    if condition.dtype != np.bool_:
        raise NoKernel("a condition that is not boolean")
    return np.where(condition, a, b)


@kernel("Clip")
def clip(call: Call) -> Array:
    """min(max(x, low), high): where the bounds cross, the upper one wins."""
    x, low, high = call[0], call.get(1), call.get(2)
    same_dtype(x, *[b for b in (low, high) if b is not None])
    result = widened(x)
    if low is not None:
        result = np.maximum(result, widened(low.reshape(())))
    elif is_float(x) and bool(np.isneginf(result).any()):
        raise NoKernel("some runtimes clip to the lowest number where no bound is given")
    if high is not None:
        result = np.minimum(result, widened(high.reshape(())))
    elif is_float(x) and bool(np.isposinf(result).any()):
        raise NoKernel("some runtimes clip to the highest number where no bound is given")
    return np.asarray(result).astype(x.dtype, copy=False)


def _sign(x: Array) -> Any:
    if is_float(x) and bool(np.isnan(x).any()):
        raise NoKernel("runtimes differ in the sign of NaN")
    return np.sign(x)


_erf = np.frompyfunc(math.erf, 1, 1)


def erf(x: Array) -> Array:
    """The error function, rounded from double; integers have none."""
    if is_integer(x):
        raise NoKernel("erf of integers")
    return np.asarray(_erf(x.astype(np.float64))).astype(x.dtype)


_UNARY: dict[str, Unary] = {
    "Abs": np.abs,
    "Acos": np.arccos,
    "Acosh": np.arccosh,
    "Asin": np.arcsin,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Atanh": np.arctanh,
    "Ceil": np.ceil,
    "Cos": np.cos,
    "Cosh": np.cosh,
    "Erf": erf,
    "Exp": np.exp,
    "Floor": np.floor,
    "Log": np.log,
    "Neg": np.negative,
    "Reciprocal": np.reciprocal,
    "Round": np.rint,  # half to even
    "Sign": _sign,
    "Sin": np.sin,
    "Sinh": np.sinh,
    "Sqrt": np.sqrt,
    "Tan": np.tan,
    "Tanh": np.tanh,
}
for _name, _function in _UNARY.items():
    define(_name, infer=same_as_first, kernel=unary(_function), elementwise=True)
_BINARY: dict[str, Map] = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": _divide}
for _name, _map in _BINARY.items():
    define(_name, infer=broadcast_two, kernel=binary(_map), elementwise=True, commutative=_name in ("Add", "Mul"))
for _name in ("Mod", "Pow", "BitShift"):
    define(_name, infer=broadcast_two, elementwise=True)
for _name in ("Sum", "Mean", "Max", "Min"):
    # Two operands may change places; more of them also the order of rounding, which is no concern of a pattern's.
    define(_name, infer=broadcast_many, elementwise=True, commutative=True)
define("Where", infer=where_rule, elementwise=True)
define("Clip", infer=same_as_first, elementwise=True)
