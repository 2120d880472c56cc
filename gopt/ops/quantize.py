"""QuantizeLinear and its kin. They are never folded: that would lose the quantization."""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import DType, Op, TensorType, Type
from .registry import shape_rule
from .shapes import tensor
from .view import attribute


@shape_rule("QuantizeLinear", quantize=True)
def _quantize(op: Op) -> Sequence[Type | None]:
    data, zero_point = tensor(op.inputs[0]), tensor(op.input(2))
    if zero_point is not None:
        dtype = zero_point.dtype
    elif op.input(2) is not None:
        return (None,)
    else:
        dtype = DType(attribute(op, "output_dtype") or DType.UINT8)
    return (TensorType(dtype, None if data is None else data.shape),)


@shape_rule("DequantizeLinear", quantize=True)
def _dequantize(op: Op) -> Sequence[Type | None]:
    data, scale = tensor(op.inputs[0]), tensor(op.inputs[1])
    given = attribute(op, "output_dtype")
    if not given and scale is None:
        return (None,)
    dtype = DType(given) if given or scale is None else scale.dtype
    return (TensorType(dtype, None if data is None else data.shape),)


@shape_rule("DynamicQuantizeLinear", quantize=True)
def _dynamic_quantize(op: Op) -> Sequence[Type | None]:
    data = tensor(op.inputs[0])
    shape = None if data is None else data.shape
    return (TensorType(DType.UINT8, shape), TensorType(DType.FLOAT, ()), TensorType(DType.UINT8, ()))
