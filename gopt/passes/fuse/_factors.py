"""Where a factor can go: a plan that makes one value some times as large, and everything around it take that back.

A scalar passes through all that is linear (moves of elements, sums, products, pools) up to weights that can be
multiplied by it, or down to weights that can be divided by it. Upwards, `Plan.make` changes what makes a value;
downwards, `Plan.take` changes what uses it. Each op is changed once at most, and nothing is in the graph before then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ... import ops
from ...ir import DType, Op, Role, Value
from ...rewrite import RejectError
from ._affine import FLOATS, Affine, dtype_of, shape_of
from ._changes import Changes
from ._columns import make_columns
from ._products import Product
from ._weights import mapped_after, mapped_before

# Their result is made of elements of the first operand, and zeros.
_MOVES = frozenset(
    {"DepthToSpace", "Expand", "Flatten", "Identity", "Reshape", "Slice", "SpaceToDepth", "Squeeze", "Tile"}
    | {"Transpose", "Trilu", "Unsqueeze"}
)
_LINEAR = _MOVES | {"AveragePool", "CumSum", "Gather", "GlobalAveragePool", "Neg", "ReduceMean", "ReduceSum"}
# f(c * x) is c * f(x) for positive c.
_RISING = frozenset(
    {"Abs", "GlobalMaxPool", "LeakyRelu", "MaxPool", "PRelu", "ReduceL1", "ReduceL2", "ReduceMax", "ReduceMin", "Relu"}
)
_EXPONENTS = {"Reciprocal": -1.0, "ReduceSumSquare": 2.0, "Sqrt": 0.5}
_SUMS = frozenset({"Add", "Concat", "Sub", "Sum"})
_NORMS = frozenset(
    {"BatchNormalization", "GroupNormalization", "InstanceNormalization", "LayerNormalization", "RMSNormalization"}
)
# How far a sixteen-bit number may be moved towards overflow or zero.
_HALF_RANGE = 256.0


class Plan(Changes):
    """A plan to leave out a product of its operand and a scalar."""

    # -- upwards -------------------------------------------------------------------------------------------------------

    def make(self, value: Value, factor: float, user: Op, alone: bool = True) -> None:
        """Have a value made `factor` times as large.

        Args:
            value: the value.
            factor: not zero.
            user: an op that takes it, and reckons with the change.
            alone: refuse values that other ops use too; else these must take the factor back.

        Raises:
            RejectError: that can't be had without more ops.
        """
        op = value.producer
        dtype = dtype_of(value)
        if op is None or value.role is not Role.RESULT or value.is_output or dtype not in FLOATS or dtype is None:
            raise RejectError(f"{value!r} is not made here, or seen elsewhere")
        if dtype is DType.FLOAT16 and not 1 / _HALF_RANGE <= abs(factor) <= 1:
            raise RejectError("a number of sixteen bits may overflow")
        others = [use for use in value.uses if use.op is not user]
        if sum(use.op is user for use in value.uses) != 1 or (others and alone):
            raise RejectError(f"{value!r} is used elsewhere")
        self.touch(op)
        self._make(op, value, factor, dtype)
        for use in others:
            self._taken(use.op, use.slot, value, 1 / factor)

    def _make(self, op: Op, value: Value, factor: float, dtype: DType) -> None:
        kind, operands = op.op_type, ops.operands(op)
        first, second = (operands[k] if k < len(operands) else None for k in (0, 1))
        if kind in ("Gather", "Slice", "Split"):
            self.first(
                lambda: self._make_operand(op, None if kind == "Split" else first, factor),
                lambda: make_columns(self, value, factor),
            )
        elif _passes(op, factor):
            self._make_operand(op, first, factor)
        elif (exponent := _exponent(op)) is not None:
            self._make_operand(op, first, _power(factor, 1 / exponent))
        elif kind in ("Conv", "ConvTranspose") and _is_constant(second) and _is_constant(op.input(2)):
            self.later(value, lambda: mapped_after(self.rw, op, Affine(np.array([factor]))))
        elif kind == "Gemm":
            self.later(value, lambda: Product.of(op).then(self.rw, Affine(np.array(factor))).gemm(self.rw))
        elif kind == "MatMul":
            self.first(*(lambda k=k: self._make_factor(op, k, factor, dtype) for k in (1, 0)))
        elif kind in ("Mul", "Div"):
            second_factor = factor if kind == "Mul" else 1 / factor
            self.first(
                lambda: self._make_constant(op, 1, second_factor, dtype),
                lambda: self._make_constant(op, 0, factor, dtype),
                lambda: self._make_operand(op, second, second_factor),
                lambda: self._make_operand(op, first, factor),
            )
        elif kind in _SUMS or (kind in ("Max", "Min") and factor > 0):
            self._make_all(op, value, factor, dtype)
        elif kind == "Where":
            self._make_all(op, value, factor, dtype, but=0)
        elif kind == "Clip" and factor > 0:
            self._make_clip(op, value, factor, dtype)
        elif kind in _NORMS:
            self._make_norm(op, value, factor)
        else:
            raise RejectError(f"{op.label} is not known to be linear")

    def _make_operand(self, op: Op, operand: Value | None, factor: float) -> None:
        if operand is None:
            raise RejectError("an operand is absent")
        if op.op_type == "Gather" and operand.const is not None:
            raise RejectError("a table is no weight of a product")
        self.make(operand, factor, op)

    def _make_factor(self, op: Op, slot: int, factor: float, dtype: DType) -> None:
        """One factor of a MatMul: weights, or what can be made so."""
        operand = op.inputs[slot]
        assert operand is not None
        if operand.const is None:
            self.make(operand, factor, op)
        else:
            self._replace_operand(op, slot, lambda: self._scaled_weights(operand, factor))

    def _make_constant(self, op: Op, slot: int, factor: float, dtype: DType) -> None:
        operand = op.inputs[slot]
        if operand is None or operand.const is None:
            raise RejectError("it is not constant")
        self._replace_operand(op, slot, lambda: self._times(operand, factor, dtype, is_factor=True))

    def _make_all(self, op: Op, value: Value, factor: float, dtype: DType, but: int | None = None) -> None:
        """Have all operands (but one) made so."""
        news: dict[int, Callable[[], Value]] = {}
        for slot, operand in enumerate(op.inputs):
            if operand is not None and slot != but:
                if operand.const is not None:
                    news[slot] = lambda c=operand: self._times(c, factor, dtype)  # type: ignore[misc]
                else:
                    self.make(operand, factor, op)
        if news:
            self._remake(op, value, news)

    def _make_clip(self, op: Op, value: Value, factor: float, dtype: DType) -> None:
        data, *bounds = (*ops.operands(op), None, None)[:3]
        if not all(_is_constant(bound) for bound in bounds):
            raise RejectError(f"{op.label} has computed bounds")
        self._make_operand(op, data, factor)

        def make() -> Value:
            assert data is not None
            scaled = [None if bound is None else self._times(bound, factor, dtype) for bound in bounds]
            result: Value = self.rw.Clip(self.now(data), *scaled, name=op.name)
            return result

        self.later(value, make)

    def _make_norm(self, op: Op, value: Value, factor: float) -> None:
        news: dict[int, Callable[[], Value]] = {}
        if len([v for v in op.outputs if v is not None]) != 1:
            raise RejectError(f"{op.label} has further results")
        for slot in (1, 2):
            operand = op.input(slot)
            if not _is_constant(operand):
                raise RejectError(f"{op.label} has computed parameters")
            dtype = None if operand is None else dtype_of(operand)
            if operand is not None and dtype is not None:
                news[slot] = lambda c=operand, d=dtype, first=slot == 1: self._times(c, factor, d, first)  # type: ignore[misc]
        self._remake(op, value, news)

    # -- downwards -----------------------------------------------------------------------------------------------------

    def take(self, value: Value, factor: float) -> None:
        """Have all that uses a value reckon with its being as large as before divided by `factor`.

        Raises:
            RejectError: that can't be had without more ops.
        """
        if value.is_output or not value.uses:
            raise RejectError(f"{value!r} is an output of the graph")
        for use in value.uses:
            self._taken(use.op, use.slot, value, factor)

    def _taken(self, op: Op, slot: Any, value: Value, factor: float) -> None:
        dtype = dtype_of(value)
        if not isinstance(slot, int) or dtype not in FLOATS or dtype is None:
            raise RejectError("a body takes it, or it is of no type to compute with")
        if dtype is DType.FLOAT16 and not 1 <= abs(factor) <= _HALF_RANGE:
            raise RejectError("a number of sixteen bits may overflow")
        self.touch(op)
        kind = op.op_type
        if slot == 0 and _passes(op, factor):
            self._take_results(op, factor)
        elif slot == 0 and (exponent := _exponent(op)) is not None:
            self._take_results(op, _power(factor, exponent))
        elif slot == 0 and kind in ("Conv", "ConvTranspose") and _is_constant(op.inputs[1]):
            affine = Affine(np.array([factor]))
            self.later(op.result, lambda: mapped_before(self.rw, op, self.now(value), affine))
        elif slot < 2 and kind == "Gemm":
            self.later(op.result, lambda: self._gemm_of(op, slot, factor))
        elif kind in ("MatMul", "Mul"):
            self._take_product(op, 1 - slot, dtype, factor, factor)
        elif kind == "Div":
            self._take_product(op, 1 - slot, dtype, 1 / factor, 1 / factor if slot else factor)
        elif kind == "Concat":
            self.first(
                lambda: self._take_sum(op, slot, factor, dtype), lambda: self._take_part(op, slot, factor, dtype)
            )
        elif kind in _SUMS or (kind in ("Max", "Min") and factor > 0):
            self._take_sum(op, slot, factor, dtype)
        elif kind == "Split" and slot == 0:
            for result in op.outputs:
                if result is not None and result.is_needed:
                    self.take(result, factor)
        else:
            raise RejectError(f"{op.label} does not pass a factor on")

    def _take_results(self, op: Op, factor: float) -> None:
        if any(v is not None and v.is_needed for v in op.outputs[1:]):
            raise RejectError(f"{op.label} has further results")
        self.take(op.result, factor)

    def _take_product(self, op: Op, other: int, dtype: DType, constant_factor: float, result_factor: float) -> None:
        """A product with a constant takes the factor into that; one with something else passes it on."""
        operand = op.inputs[other]
        assert operand is not None
        if operand.const is None:
            self.take(op.result, result_factor)
        elif op.op_type == "MatMul":
            self._replace_operand(op, other, lambda: self._scaled_weights(operand, constant_factor))
        else:
            self._replace_operand(op, other, lambda: self._times(operand, constant_factor, dtype, is_factor=True))

    def _take_sum(self, op: Op, slot: int, factor: float, dtype: DType) -> None:
        self._make_all(op, op.result, 1 / factor, dtype, but=slot)
        self.take(op.result, factor)

    def _take_part(self, op: Op, slot: int, factor: float, dtype: DType) -> None:
        """A part of what is joined: a constant that all of it is multiplied by takes the factor for that part."""
        uses, shapes = op.result.uses, [None if v is None else shape_of(v) for v in op.inputs]
        if op.result.is_output or len(uses) != 1 or uses[0].op.op_type != "Mul" or uses[0].slot not in (0, 1):
            raise RejectError(f"{op.label} does not pass a factor on")
        user, other = uses[0].op, 1 - int(uses[0].slot == 1)
        constant = user.inputs[other]
        axis = int(ops.attribute(op, "axis"))
        sizes = [None if shape is None else shape[axis] for shape in shapes]
        rank = len(shapes[0] or ())
        if constant is None or constant.const is None or not all(isinstance(n, int) for n in sizes):
            raise RejectError("there is no constant, or the sizes are not known")
        numbers = [n for n in sizes if isinstance(n, int)]
        shape = constant.const.shape
        along = axis % rank - rank
        if len(shape) < -along or len(shape) > rank or shape[along] != sum(numbers):
            raise RejectError("the constant would become larger")
        self.touch(user)
        factors = np.repeat([factor if k == slot else 1.0 for k in range(len(numbers))], numbers)
        view = factors.reshape((-1,) + (1,) * (-along - 1))
        self._replace_operand(user, other, lambda: self._times(constant, view, dtype, is_factor=True))

    def _gemm_of(self, op: Op, slot: int, factor: float) -> Value:
        product = Product.of(op)
        product = replace(product, a=self.now(product.a), b=self.now(product.b))
        if slot == 0 and product.b.const is not None:
            return replace(product, b=product.scale_rows(self.rw, np.array([factor]))).gemm(self.rw)
        wanted = product.alpha * factor
        alpha = float(np.float32(wanted))
        if not np.isfinite(alpha) or not alpha or (product.dtype is DType.DOUBLE and alpha != wanted):
            raise RejectError("alpha can't take the factor")
        return replace(product, alpha=alpha).gemm(self.rw)


def _is_constant(value: Value | None) -> bool:
    """True if it is absent, too."""
    return value is None or value.const is not None


def _passes(op: Op, factor: float) -> bool:
    """True if the op of `factor` times its first operand is `factor` times the op."""
    if op.op_type == "Pad":
        value = ops.constant_operand(op, 2) if ops.has_operand(op, "constant_value") else None
        is_zero = not ops.has_operand(op, "constant_value") or (value is not None and not value.any())
        return is_zero or ops.attribute(op, "mode") != "constant"
    return op.op_type in _LINEAR or (op.op_type in _RISING and factor > 0)


def _exponent(op: Op) -> float | None:
    """The power of a factor of its first operand that is a factor of its result; None if there is none."""
    if op.op_type == "Pow":
        exponent = ops.constant_operand(op, 1)
        is_number = exponent is not None and exponent.size == 1 and exponent.dtype.kind in "fiu"
        number = float(exponent.reshape(-1)[0]) if exponent is not None and is_number else 0.0
        return number if np.isfinite(number) and 0.25 <= abs(number) <= 4 else None
    return _EXPONENTS.get(op.op_type)


def _power(factor: float, exponent: float) -> float:
    if factor < 0 and exponent != -1:
        raise RejectError("a power of a negative number may be none")
    return float(factor**exponent)
