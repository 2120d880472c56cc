"""Constant affine maps x -> x * scale + shift: what Add, Sub, Mul, Div, Neg and BatchNormalization do to one operand.

They are composed in float64 and rounded once, when they become constants of the model again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ... import ops
from ...ir import Array, DType, Op, Shape, TensorType, Value
from ...rewrite import OpPattern, P, Pattern, RejectError

# Element types of the weights that can be folded into, with the smallest normal number of each.
_TINY = {
    DType.FLOAT: 2.0**-126,
    DType.DOUBLE: 2.0**-1022,
    DType.FLOAT16: 2.0**-14,
    DType.BFLOAT16: 2.0**-126,
}
FLOATS = frozenset(_TINY)


@dataclass(frozen=True, slots=True)
class Affine:
    """x -> x * scale + shift, broadcast as numpy does; a scale of None is 1, a shift of None is 0."""

    scale: Array | None = None
    shift: Array | None = None

    def then(self, after: Affine) -> Affine:
        """This map followed by another.

        Raises:
            RejectError: their constants do not broadcast.
        """
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                return Affine(_times(self.scale, after.scale), _plus(_scaled(self.shift, after.scale), after.shift))
        except ValueError:
            raise RejectError("the constants do not broadcast") from None


def _times(a: Array | None, b: Array | None) -> Array | None:
    return a if b is None else b if a is None else a * b


def _plus(a: Array | None, b: Array | None) -> Array | None:
    return a if b is None else b if a is None else a + b


def _scaled(shift: Array | None, scale: Array | None) -> Array | None:
    return shift if shift is None or scale is None else shift * scale


# -- patterns ---------------------------------------------------------------------------------------------------------


def scaling(data: Pattern | str, name: str = "") -> Pattern:
    """`data` times or by a constant, or negated."""
    return _named(name, (P.Mul | P.Div)(data, P.const()), P.Neg(data))


def shifting(data: Pattern | str, name: str = "") -> Pattern:
    """`data` plus or minus a constant, or a constant minus it."""
    return _named(name, (P.Add | P.Sub)(data, P.const()), P.Sub(P.const(), data))


def step(data: Pattern | str, name: str = "") -> Pattern:
    """Any of the two."""
    return scaling(data, name) | shifting(data, name)


def batch_norm(data: Pattern | str, name: str = "") -> OpPattern:
    """A BatchNormalization with constant parameters, in inference."""
    return P.BatchNormalization(data, P.const(), P.const(), P.const(), P.const()).as_(name)


def _named(name: str, *choices: OpPattern) -> Pattern:
    first, *others = (replace(c, name=name) for c in choices)
    result: Pattern = first
    for other in others:
        result = result | other
    return result


# -- from the graph ---------------------------------------------------------------------------------------------------


def elements(value: Value | None) -> Array:
    """The elements of a constant in float64.

    Raises:
        RejectError: it is not constant, not of a floating-point type, or not finite.
    """
    tensor = None if value is None else value.const
    if tensor is None:
        raise RejectError(f"{value!r} is not constant")
    if tensor.dtype not in FLOATS:
        raise RejectError(f"{tensor.dtype.name.lower()} is no type to compute constants in")
    array = tensor.numpy().astype(np.float64)
    if not np.isfinite(array).all():
        raise RejectError(f"{value!r} has elements that are infinite or no numbers")
    return array


def affine_of(op: Op, data: Value) -> Affine:
    """What an Add, Sub, Mul, Div (of `data` and a constant) or Neg does to `data`.

    Raises:
        RejectError: the constant can't be folded, or `data` is divided into it.
    """
    if op.op_type == "Neg":
        return Affine(np.array(-1.0))
    slot = 0 if op.inputs[0] is data else 1
    constant = elements(op.inputs[1 - slot])
    if op.op_type == "Add":
        return Affine(None, constant)
    if op.op_type == "Sub":
        return Affine(None, -constant) if slot == 0 else Affine(np.array(-1.0), constant)
    if op.op_type == "Mul":
        return Affine(constant)
    if slot or not constant.all():
        raise RejectError(f"{op.label} is no product with a finite constant")
    with np.errstate(over="ignore"):
        return Affine(1.0 / constant)


def batch_norm_affine(op: Op) -> Affine:
    """What a BatchNormalization does, as vectors over the channels (operator BatchNormalization, "inference mode").

    Raises:
        RejectError: a parameter is no vector of finite numbers, or the variance plus epsilon is not positive.
    """
    scale, shift, mean, variance = (elements(v) for v in ops.operands(op)[1:5])
    if not scale.shape == shift.shape == mean.shape == variance.shape or scale.ndim != 1:
        raise RejectError(f"the parameters of {op.label} differ in shape")
    denominator = variance + ops.attribute(op, "epsilon")
    if not (denominator > 0).all():
        raise RejectError(f"the variance of {op.label} is not positive")
    with np.errstate(over="ignore", invalid="ignore"):
        factor = scale / np.sqrt(denominator)
        return Affine(factor, shift - mean * factor)


def shape_of(value: Value) -> Shape | None:
    """Symbolic shape of a value, None if the rank is unknown."""
    if value.const is not None:
        return value.const.shape
    return value.type.shape if isinstance(value.type, TensorType) else None


def dtype_of(value: Value) -> DType | None:
    """Element type of a value, None if unknown."""
    if value.const is not None:
        return value.const.dtype
    return value.type.dtype if isinstance(value.type, TensorType) else None


# -- broadcasting -----------------------------------------------------------------------------------------------------


def fits(shape: tuple[int, ...], into: Shape | None) -> bool:
    """True if something of `shape` surely broadcasts to `into` without changing it."""
    if not shape:
        return True
    if into is None or len(shape) > len(into):
        return False
    return all(d == 1 or d == wanted for d, wanted in zip(shape[::-1], into[::-1]))


def along(constant: Array | None, shape: Shape | None, axis: int) -> Array | None:
    """A constant operand as a vector along one axis of the other operand's shape, of length 1 if it is a scalar.

    Args:
        constant: the constant; None gives None.
        shape: shape of the operand that it is broadcast to, and that must be the result's.
        axis: the axis, also from the end.

    Raises:
        RejectError: it varies along another axis, or it may change the shape.
    """
    if constant is None or constant.ndim == 0:
        return None if constant is None else constant.reshape(1)
    if shape is None or not fits(constant.shape, shape) or not constant.size:
        raise RejectError(f"a constant of shape {list(constant.shape)} may change the shape that it is broadcast to")
    axis = axis % len(shape) - (len(shape) - constant.ndim)
    for k, size in enumerate(constant.shape):
        if size != 1 and k != axis:
            first = constant.take([0], axis=k)
            if not (constant == first).all():
                raise RejectError(f"a constant of shape {list(constant.shape)} varies along another axis")
            constant = first
    return constant.reshape(-1)


# -- back to the model ------------------------------------------------------------------------------------------------


def rounded(array: Array, dtype: DType, is_factor: bool = False) -> Array:
    """The array in an element type of the model.

    Raises:
        RejectError: an element overflows, or of a factor: becomes so small that it loses precision.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        result: Array = np.asarray(array, np.float64).astype(dtype.numpy)
    if not np.isfinite(result.astype(np.float64)).all():
        raise RejectError(f"a folded constant overflows {dtype.name.lower()}")
    if is_factor and ((np.abs(array) < _TINY[dtype]) & (array != 0)).any():
        raise RejectError(f"a folded constant is too small for {dtype.name.lower()}")
    return result


def multiplied(weights: Array, factor: Array, dtype: DType) -> Array:
    """Weights times a float64 factor of as many dims (each 1 or the weights'), rounded once.

    Raises:
        RejectError: an element overflows, or a slice along the factor's dims becomes so small that it loses precision.
    """
    if not weights.size:
        raise RejectError("there are no weights")
    result = np.empty(weights.shape, weights.dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        np.multiply(weights, factor, out=result, dtype=np.float64, casting="unsafe")
    rest = tuple(k for k, size in enumerate(factor.shape) if size == 1)
    largest = np.maximum(result.max(rest), -result.min(rest)).astype(np.float64)
    if not np.isfinite(largest).all():
        raise RejectError(f"folded weights overflow {dtype.name.lower()}")
    small = largest < _TINY[dtype]
    if small.any() and (small & (weights != 0).any(rest) & (factor != 0).any(rest)).any():
        raise RejectError(f"folded weights are too small for {dtype.name.lower()}")
    return result


def weighted_rows(level: Array, weights: Array) -> Array:
    """A vector (of length 1 if all its elements are the same) times a matrix, in float64.

    A block of rows at a time: weights may be large.

    Raises:
        RejectError: the vector is too long or too short.
    """
    level = spread(level, len(weights))
    total = np.zeros(weights.shape[1])
    step = max(1, _BLOCK // max(1, weights.shape[1]))
    for start in range(0, len(weights), step):
        total += level[start : start + step] @ weights[start : start + step].astype(np.float64)
    return total


_BLOCK = 1 << 20


def spread(vector: Array, length: int) -> Array:
    """A vector along channels in full, where one of length 1 says the same of all.

    Raises:
        RejectError: it is of another length.
    """
    if len(vector) not in (1, length):
        raise RejectError(f"{len(vector)} numbers for {length} channels")
    return np.broadcast_to(vector, (length,))
