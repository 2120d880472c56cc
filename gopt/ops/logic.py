"""Comparisons, boolean and bitwise operators (ONNX operators And ... Xor, Equal ... LessOrEqual, IsNaN, IsInf)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ir import Array, DType, Op, TensorType, Type
from .elementwise import broadcast_two
from .evaluate import Call, NoKernel
from .numeric import Map, is_float, is_integer, same_dtype, widened
from .registry import define, kernel
from .shapes import broadcast, same_as_first, tensor


def compare_rule(op: Op) -> Sequence[Type | None]:
    """Shape rule: booleans of the broadcast shape."""
    a, b = map(tensor, op.inputs)
    return (TensorType(DType.BOOL, None if a is None or b is None else broadcast(a.shape, b.shape)),)


def test_rule(op: Op) -> Sequence[Type | None]:
    """Shape rule: a boolean for each element."""
    x = tensor(op.inputs[0])
    return (TensorType(DType.BOOL, None if x is None else x.shape),)


def _comparison(function: Map) -> Any:
    def run(call: Call) -> Array:
        a, b = call[0], call[1]
        same_dtype(a, b)
        return np.asarray(function(widened(a), widened(b))).astype(np.bool_, copy=False)

    return run


def _boolean(function: Map) -> Any:
    def run(call: Call) -> Array:
        a, b = call[0], call[1]
        if a.dtype != np.bool_ or b.dtype != np.bool_:
            raise NoKernel(f"{call.op.label} of something else than booleans")
        return np.asarray(function(a, b))

    return run


def _bitwise(function: Map) -> Any:
    def run(call: Call) -> Array:
        a, b = call[0], call[1]
        same_dtype(a, b)
        if not is_integer(a):
            raise NoKernel(f"{call.op.label} of something else than integers")
        return np.asarray(function(a, b))

    return run


@kernel("Not")
def logical_not(call: Call) -> Array:
    """Boolean negation."""
    x = call[0]
    if x.dtype != np.bool_:
        raise NoKernel("Not of something else than booleans")
    return np.asarray(np.logical_not(x))


@kernel("BitwiseNot")
def bitwise_not(call: Call) -> Array:
    """The complement of each bit."""
    return np.asarray(np.invert(call[0]))


@kernel("IsNaN")
def is_nan(call: Call) -> Array:
    """True for NaN."""
    x = call[0]
    if not is_float(x):
        raise NoKernel("IsNaN of something else than floats")
    return np.asarray(np.isnan(widened(x)))


@kernel("IsInf")
def is_inf(call: Call) -> Array:
    """True for the infinities that `detect_negative` and `detect_positive` ask for."""
    x = call[0]
    if not is_float(x):
        raise NoKernel("IsInf of something else than floats")
    x = widened(x)
    result = np.zeros(x.shape, np.bool_)
    if call.attribute("detect_negative"):
        result |= x == -np.inf
    if call.attribute("detect_positive"):
        result |= x == np.inf
    return result


_COMPARISONS: dict[str, Map] = {
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
}
_BOOLEAN: dict[str, Map] = {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor}
_BITWISE: dict[str, Map] = {"BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor}
for _name, _function in _COMPARISONS.items():
    define(_name, infer=compare_rule, kernel=_comparison(_function), elementwise=True, commutative=_name == "Equal")
for _name, _function in _BOOLEAN.items():
    define(_name, infer=compare_rule, kernel=_boolean(_function), elementwise=True, commutative=True)
for _name, _function in _BITWISE.items():
    define(_name, infer=broadcast_two, kernel=_bitwise(_function), elementwise=True, commutative=True)
define("BitwiseNot", infer=same_as_first, elementwise=True)
for _name in ("Not", "IsNaN", "IsInf"):
    define(_name, infer=test_rule, elementwise=True)
