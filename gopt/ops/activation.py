"""Activation functions (ONNX operators Celu ... ThresholdedRelu, Softmax and its kin): shape rules and kernels.

Formulas are those of the operators' clauses, arranged so that no intermediate overflows where the result does not.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

import numpy as np

from ..ir import Array
from .elementwise import broadcast_two, erf
from .evaluate import Call, NoKernel
from .numeric import Unary, is_float, same_dtype, unary, widened
from .registry import define, kernel
from .shapes import axis_of, same_as_first


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), by exp(-|x|), which cannot overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Array) -> Any:
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _expm1_below_zero(x: Array) -> Any:
    return np.expm1(np.minimum(x, 0))


def _parameter(call: Call, name: str) -> float:
    value = call.attribute(name)
    if not isinstance(value, (int, float)):
        raise NoKernel(f"{call.op.label} has no number for {name!r}")
    return float(value)


_Function = Callable[[Array, Call], Any]


def _map(name: str, *, elementwise: bool = True) -> Callable[[_Function], _Function]:
    """Register `function(x, call)` over floats of 32 bits or more; results are rounded to the operand's type."""

    def decorate(function: _Function) -> _Function:
        def run(call: Call) -> Array:
            x = call[0]
            return np.asarray(function(widened(x), call)).astype(x.dtype, copy=False)

        define(name, infer=same_as_first, kernel=run, elementwise=elementwise)
        return function

    return decorate


@_map("Celu")
def _celu(x: Array, call: Call) -> Any:
    alpha = _parameter(call, "alpha")
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha))


@_map("Elu")
def _elu(x: Array, call: Call) -> Any:
    return np.where(x > 0, x, _parameter(call, "alpha") * _expm1_below_zero(x))


@_map("Gelu")
def _gelu(x: Array, call: Call) -> Any:
    if call.attribute("approximate") == "tanh":
        return 0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)))
    return 0.5 * x * (1 + erf(x / sqrt(2)))


@_map("HardSigmoid")
def _hard_sigmoid(x: Array, call: Call) -> Any:
    return np.maximum(0, np.minimum(1, _parameter(call, "alpha") * x + _parameter(call, "beta")))


@_map("HardSwish")
def _hard_swish(x: Array, call: Call) -> Any:
    return x * np.maximum(0, np.minimum(1, x / 6 + 0.5))


@_map("LeakyRelu")
def _leaky_relu(x: Array, call: Call) -> Any:
    return np.where(x >= 0, x, _parameter(call, "alpha") * x)


@_map("Mish")
def _mish(x: Array, call: Call) -> Any:
    return x * np.tanh(softplus(x))


@_map("Selu")
def _selu(x: Array, call: Call) -> Any:
    alpha, gamma = _parameter(call, "alpha"), _parameter(call, "gamma")
    return gamma * np.where(x > 0, x, alpha * _expm1_below_zero(x))


@_map("Shrink")
def _shrink(x: Array, call: Call) -> Any:
    """Integers are compared with the float threshold; what the bias makes of them must be whole."""
    bias, threshold = _parameter(call, "bias"), _parameter(call, "lambd")
    if not is_float(x) and (bias != int(bias) or x.dtype.kind == "u"):
        raise NoKernel("Shrink of integers by a fraction, or of unsigned ones")
    step: Any = bias if is_float(x) else x.dtype.type(int(bias))
    return np.where(x < -threshold, x + step, np.where(x > threshold, x - step, np.zeros_like(x)))


@_map("Swish")
def _swish(x: Array, call: Call) -> Any:
    return x * sigmoid(_parameter(call, "alpha") * x)


@_map("ThresholdedRelu")
def _thresholded_relu(x: Array, call: Call) -> Any:
    return np.where(x > _parameter(call, "alpha"), x, np.zeros_like(x))


@kernel("PRelu")
def prelu(call: Call) -> Array:
    """x above zero, slope * x below; the slope is broadcast to x, never x to the slope."""
    x, slope = call[0], call[1]
    same_dtype(x, slope)
    result = np.where(x < 0, widened(slope) * widened(x), widened(x))
    if result.shape != x.shape:
        raise NoKernel("a slope larger than its operand")
    return result.astype(x.dtype, copy=False)


def _relu(x: Array) -> Any:
    return np.maximum(x, np.zeros((), x.dtype))


_PLAIN: dict[str, Unary] = {
    "Relu": _relu,
    "Sigmoid": sigmoid,
    "Softplus": softplus,
    "Softsign": lambda x: x / (1 + np.abs(x)),
}
for _name, _function in _PLAIN.items():
    define(_name, infer=same_as_first, kernel=unary(_function), elementwise=True)
# By the clause the slope broadcasts to x alone; runtimes let x broadcast to the slope too. This holds for both.
define("PRelu", infer=broadcast_two, elementwise=True)


@_map("Softmax", elementwise=False)
def _softmax(x: Array, call: Call) -> Any:
    axis = axis_of(call.attribute("axis"), x.ndim)
    if not x.size:
        return x
    exponents = np.exp(x - x.max(axis=axis, keepdims=True))
    return exponents / exponents.sum(axis=axis, keepdims=True)


@_map("LogSoftmax", elementwise=False)
def _log_softmax(x: Array, call: Call) -> Any:
    axis = axis_of(call.attribute("axis"), x.ndim)
    if not x.size:
        return x
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


@_map("Hardmax", elementwise=False)
def _hardmax(x: Array, call: Call) -> Any:
    """1 at the first maximum along the axis, 0 elsewhere."""
    axis = axis_of(call.attribute("axis"), x.ndim)
    if not x.size:
        return x
    result = np.zeros_like(x)
    np.put_along_axis(result, np.expand_dims(x.argmax(axis=axis), axis), 1, axis=axis)
    return result
