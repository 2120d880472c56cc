"""A factor of some columns of a product: those that a Split, Slice or Gather picks out after they were reshaped."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ... import ops
from ...ir import Array, Op, Role, Value
from ...ops.window import disputed
from ...rewrite import RejectError
from ._affine import FLOATS, Affine, dtype_of, elements, multiplied, rounded, shape_of
from ._products import Product
from ._weights import mapped_after

if TYPE_CHECKING:
    from ._factors import Plan

_Digits = list["tuple[int, int] | None"]
"""For each axis the size and stride that it has in the number of a column; None for an axis of something else."""


def make_columns(plan: Plan, value: Value, factor: float) -> None:
    """Have a result of a Split, Slice or Gather made `factor` times as large by a product with constant weights above.

    The other columns stay what they are, and so do the ops between.

    Raises:
        RejectError: it is no such part, or its columns are used otherwise too.
    """
    pick = value.producer
    assert pick is not None
    above = [pick]
    data = pick.inputs[0]
    while data is not None and (op := data.producer) is not None and op.op_type in ("Reshape", "Transpose"):
        if data.is_output or (len(above) > 1 and not data.has_one_use):
            raise RejectError(f"{data!r} is used elsewhere")
        above.append(op)
        data = op.inputs[0]
    if data is None or data.producer is None or dtype_of(data) not in FLOATS:
        raise RejectError("no product is above")
    if data.is_output or (len(above) > 1 and not data.has_one_use):
        raise RejectError(f"{data!r} is used elsewhere")
    digits = _digits_of(data)
    for move in above[:0:-1]:
        digits = _moved(move, digits)
    mask = _mask(pick, value, digits)
    product, factors = data, np.where(mask, factor, 1.0)
    plan.touch(product.producer)  # type: ignore[arg-type]
    plan.later(product, lambda: _scaled(plan, product, factors))


def _digits_of(data: Value) -> _Digits:
    shape, op = shape_of(data), data.producer
    assert op is not None
    if shape is None or len(shape) < 2:
        raise RejectError("the rank is not known")
    axis = 1 if op.op_type in ("Conv", "ConvTranspose") else len(shape) - 1
    columns = shape[axis]
    if not isinstance(columns, int):
        raise RejectError("the number of columns is not known")
    return [(columns, 1) if k == axis else None for k in range(len(shape))]


def _moved(move: Op, digits: _Digits) -> _Digits:
    """The axes of a Reshape or Transpose of something with such axes."""
    if move.op_type == "Transpose":
        perm = ops.attribute(move, "perm") or tuple(reversed(range(len(digits))))
        if sorted(perm) != list(range(len(digits))):
            raise RejectError(f"{move.label} has no permutation")
        return [digits[k] for k in perm]
    last = digits[-1]
    shape = shape_of(move.result)
    if last is None or last[1] != 1 or any(d is not None for d in digits[:-1]) or shape is None:
        raise RejectError("the columns are not the last axis")
    found: _Digits = []
    stride = 1
    for size in reversed(shape):
        if stride == last[0]:
            found.append(None)
        elif isinstance(size, int) and size > 0 and last[0] % (stride * size) == 0:
            found.append((size, stride))
            stride *= size
        else:
            raise RejectError(f"{move.label} mixes the columns with something else")
    if stride != last[0]:
        raise RejectError(f"{move.label} mixes the columns with something else")
    return found[::-1]


def _mask(pick: Op, result: Value, digits: _Digits) -> Array:
    """Which columns a result of a Split, Slice or Gather holds; nothing else may hold these."""
    axis, chosen = _picked(pick, result, digits)
    found = digits[axis]
    data = pick.inputs[0]
    if found is None or data is None:
        raise RejectError(f"{pick.label} picks from an axis that is not of columns")
    if data.is_output:
        raise RejectError(f"{data!r} is an output of the graph")
    for use in data.uses:
        if use.op is pick:
            continue
        if use.slot != 0 or use.op.domain or use.op.op_type not in ("Gather", "Slice", "Split"):
            raise RejectError(f"{data!r} is used elsewhere")
        for other in use.op.outputs:
            if other is not None:
                their_axis, theirs = _picked(use.op, other, digits)
                if their_axis != axis or set(theirs) & set(chosen):
                    raise RejectError("the same columns are used elsewhere")
    columns = np.arange(math.prod(d[0] for d in digits if d is not None))
    size, stride = found
    mask: Array = np.isin(columns // stride % size, np.array(chosen))
    return mask


def _picked(op: Op, result: Value, digits: _Digits) -> tuple[int, tuple[int, ...]]:
    """The one axis along which an op picks, and the indices of what goes into a result."""
    rank = len(digits)
    if op.op_type == "Slice":
        return _sliced(op, digits)
    axis = int(ops.attribute(op, "axis") or 0) % rank
    digit = digits[axis]
    size = 0 if digit is None else digit[0]
    if op.op_type == "Gather":
        indices = ops.ints(op, "indices")
        if indices is None or not all(-size <= k < size for k in indices):
            raise RejectError(f"the indices of {op.label} are not known")
        return axis, tuple(k % size for k in indices)
    start = 0
    for part in op.outputs:
        shape = None if part is None else shape_of(part)
        length = None if shape is None else shape[axis]
        if not isinstance(length, int):
            raise RejectError(f"the sizes of {op.label} are not known")
        if part is result:
            return axis, tuple(range(start, start + length))
        start += length
    raise RejectError(f"{result!r} is no part")


def _sliced(op: Op, digits: _Digits) -> tuple[int, tuple[int, ...]]:
    starts, ends, axes, steps = (ops.ints(op, name) for name in ("starts", "ends", "axes", "steps"))
    if (
        starts is None
        or ends is None
        or len(starts) != 1
        or len(ends) != 1
        or (axes is None) == ops.has_operand(op, "axes")
    ):
        raise RejectError(f"the bounds of {op.label} are not known")
    if ops.has_operand(op, "steps") and steps is None:
        raise RejectError(f"the steps of {op.label} are not known")
    axis = (axes[0] if axes else 0) % len(digits)
    digit = digits[axis]
    size, step = 0 if digit is None else digit[0], steps[0] if steps else 1
    if disputed(size, starts[0], ends[0], step):
        raise RejectError(f"runtimes differ in what {op.label} takes")
    return axis, tuple(range(size)[starts[0] : ends[0] : step])


def _scaled(plan: Plan, data: Value, factors: Array) -> Value:
    """The product with factors of its columns."""
    op, rw = data.producer, plan.rw
    assert op is not None
    if op.domain or not ops.is_current(op):
        raise RejectError(f"{op.label} is no product")
    if op.op_type in ("Conv", "ConvTranspose"):
        return mapped_after(rw, op, Affine(factors))
    if op.op_type == "Gemm":
        return Product.of(op).then(rw, Affine(factors)).gemm(rw)
    if op.op_type == "MatMul":
        weights = op.inputs[1]
        tensor = None if weights is None else weights.const
        if tensor is None or len(tensor.shape) < 2 or tensor.shape[-1] != len(factors) or tensor.dtype not in FLOATS:
            raise RejectError(f"{op.label} has no constant weights on the right")
        row = factors.reshape((1,) * (len(tensor.shape) - 1) + (-1,))
        made = multiplied(tensor.numpy(), row, tensor.dtype)
        result: Value = rw.MatMul(op.inputs[0], rw.const(made, name=weights.name if weights else ""), name=op.name)
        return result
    if op.op_type == "Add":
        return _scaled_sum(plan, op, data, factors)
    raise RejectError(f"{op.label} is no product")


def _scaled_sum(plan: Plan, op: Op, data: Value, factors: Array) -> Value:
    """A MatMul and a constant bias."""
    dtype = dtype_of(data)
    product = next((v for v in op.inputs if v is not None and v.const is None), None)
    bias = next((v for v in op.inputs if v is not None and v.const is not None), None)
    if product is None or bias is None or dtype is None or product.is_output or not product.has_one_use:
        raise RejectError(f"{op.label} adds no constant, or {product!r} is used elsewhere")
    inner = product.producer
    if inner is None or inner.op_type != "MatMul" or product.role is not Role.RESULT:
        raise RejectError(f"{op.label} is no product")
    plan.spare(inner.inputs[1])
    moved = elements(bias) * factors
    if moved.size > max(elements(bias).size, len(factors)):
        raise RejectError("the constant would become larger")
    new = _scaled(plan, product, factors)
    result: Value = plan.rw.Add(new, plan.rw.const(rounded(moved, dtype), name=bias.name), name=op.name)
    return result
