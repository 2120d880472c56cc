"""Single ops from arrays and types, without a graph around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gopt import ops
from gopt.analysis import infer_op
from gopt.ir import Array, ArrayTensor, Attr, Dim, DType, Op, Role, Shape, Symbol, TensorType, Type, Value

F32, I64, I32, BOOL, U8 = DType.FLOAT, DType.INT64, DType.INT32, DType.BOOL, DType.UINT8


def typed(*dims: Dim, dtype: DType = F32) -> TensorType:
    """The type of a tensor of floats of that shape."""
    return TensorType(dtype, dims)


def ints(*numbers: int) -> Array:
    """A rank-1 tensor of int64."""
    return np.array(numbers, np.int64)


def value(given: Any) -> Value | None:
    """An array is a constant, a type a value that is computed somewhere, None an omitted operand."""
    if given is None or isinstance(given, Value):
        return given
    if isinstance(given, np.ndarray):
        return Value("c", Role.CONST, ArrayTensor(given))
    result = Value("x")
    result.type = None if given is ... else given
    return result


def make(op_type: str, *operands: Any, opset: int = 21, outputs: int = 1, domain: str = "", **attrs: Any) -> Op:
    """A detached op. `...` is an operand of unknown type."""
    given = {name: Attr.of(a) for name, a in attrs.items()}
    op = Op(op_type, [value(x) for x in operands], outputs, given, domain)
    op.imports = {domain: opset}
    return op


def types(op: Op) -> list[Type | None]:
    """Types of the results; all None if the shape rule gives up."""
    known = ops.opdef(op)
    assert known is not None
    assert known.infer is not None
    infer_op(op)
    return [v.type for v in op.outputs if v is not None]


def shape_of(op: Op) -> Shape | None:
    """The shape of the first result."""
    type_ = types(op)[0]
    assert isinstance(type_, TensorType)
    return type_.shape


def unknown(dims: Shape | None) -> list[bool]:
    """Which dims are symbols."""
    assert dims is not None
    return [isinstance(d, Symbol) for d in dims]


def compute(op: Op) -> Array:
    """The first result of an op on constants."""
    return results(op)[0]


def results(op: Op) -> Sequence[Array]:
    """All results of an op on constants; their types are checked against the shape rule."""
    arrays = [None if v is None or v.const is None else v.const.numpy() for v in op.inputs]
    found = ops.evaluate(op, arrays)
    for type_, array in zip(types(op), found):
        if isinstance(type_, TensorType):
            assert type_.dtype.numpy == array.dtype
            if type_.shape is not None:
                assert len(type_.shape) == array.ndim
                assert all(n == d for d, n in zip(type_.shape, array.shape) if isinstance(d, int))
    return found
