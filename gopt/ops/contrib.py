"""Shapes of ONNX Runtime's own operators (domain com.microsoft, "Contrib Operators"), as fused files hold them.

They have no kernels here and are no part of any rewrite: only that what comes after them keeps its shape.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ir import Dim, DType, Op, TensorType, Type
from .matmul import matmul_shape
from .registry import define, find, shape_rule
from .shapes import broadcast, same_as_first, tensor

_DOMAIN = "com.microsoft"

# Maps of the elements, or of each row, of the first operand.
for _name in (
    *(
        "BiasAdd",
        "BiasGelu",
        "BiasSoftmax",
        "FastGelu",
        "Gelu",
        "GroupNorm",
        "QLinearLeakyRelu",
        "QLinearSigmoid",
        "QLinearSoftmax",
    ),
    *("QuickGelu", "RotaryEmbedding", "SkipGroupNorm", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization"),
):
    define(_name, domain=_DOMAIN, infer=same_as_first)
define("SimplifiedLayerNormalization", infer=same_as_first)  # ONNX Runtime's own, though in the standard domain


def _as_standard(op: Op, op_type: str, slots: Sequence[int], own: Sequence[str] = ()) -> Sequence[Type | None]:
    """What the standard operator says of the operands in these slots; `own` are attributes that it has not."""
    attrs = {name: attr for name, attr in op.attrs.items() if name not in own}
    made = Op(op_type, [op.input(slot) for slot in slots], 1, attrs)
    made.imports = op.imports
    known = find(op_type)
    assert known is not None
    assert known.infer is not None
    return known.infer(made)


@shape_rule("FusedConv", domain=_DOMAIN)
def _fused_conv(op: Op) -> Sequence[Type | None]:
    return _as_standard(op, "Conv", (0, 1), ("activation", "activation_params"))


@shape_rule("FusedGemm", domain=_DOMAIN)
def _fused_gemm(op: Op) -> Sequence[Type | None]:
    own = [name for name in op.attrs if name.startswith("activation")]
    return _as_standard(op, "Gemm", (0, 1), own)


@shape_rule("QGemm", domain=_DOMAIN)
def _quantized_gemm(op: Op) -> Sequence[Type | None]:
    """Floats, if no scale is given for the result."""
    (found,) = _as_standard(op, "Gemm", (0, 3))
    if not isinstance(found, TensorType) or op.input(7) is not None:
        return (found,)
    return (TensorType(DType.FLOAT, found.shape),)


@shape_rule("QLinearConv", domain=_DOMAIN)
def _quantized_conv(op: Op) -> Sequence[Type | None]:
    return (None,) if op.attr("channels_last", 0) else _as_standard(op, "Conv", (0, 3), ("channels_last",))


@shape_rule("QLinearAveragePool", domain=_DOMAIN)
def _quantized_pool(op: Op) -> Sequence[Type | None]:
    return (None,) if op.attr("channels_last", 0) else _as_standard(op, "AveragePool", (0,), ("channels_last",))


@shape_rule("QLinearGlobalAveragePool", domain=_DOMAIN)
def _quantized_global_pool(op: Op) -> Sequence[Type | None]:
    return (None,) if op.attr("channels_last", 0) else _as_standard(op, "GlobalAveragePool", (0,), ("channels_last",))


@shape_rule("QLinearConcat", domain=_DOMAIN)
def _quantized_concat(op: Op) -> Sequence[Type | None]:
    """Operands: scale and zero point of the result, then each part with its own."""
    return _as_standard(op, "Concat", range(2, len(op.inputs), 3))


@shape_rule("DynamicQuantizeLSTM", domain=_DOMAIN)
def _lstm(op: Op) -> Sequence[Type | None]:
    """As LSTM, with weights of shape [directions, input, 4 * hidden]."""
    data, recurrence = tensor(op.inputs[0]), tensor(op.inputs[2])
    if data is None or data.shape is None or recurrence is None or recurrence.shape is None:
        return ()
    (length, batch, _), (directions, hidden, _) = data.shape, recurrence.shape
    every = TensorType(data.dtype, (length, directions, batch, hidden))
    last = TensorType(data.dtype, (directions, batch, hidden))
    return (every, last, last)


@shape_rule("FusedMatMul", domain=_DOMAIN)
def _fused_matmul(op: Op) -> Sequence[Type | None]:
    a, b = tensor(op.inputs[0]), tensor(op.inputs[1])
    if a is None or op.attr("transBatchA", 0) or op.attr("transBatchB", 0):
        return (None if a is None else TensorType(a.dtype),)
    first = _exchanged(a) if op.attr("transA", 0) else a.shape
    second = None if b is None else _exchanged(b) if op.attr("transB", 0) else b.shape
    return (TensorType(a.dtype, matmul_shape(first, second)),)


def _exchanged(type_: TensorType) -> tuple[Dim, ...] | None:
    shape = type_.shape
    return shape if shape is None or len(shape) < 2 else (*shape[:-2], shape[-1], shape[-2])


@shape_rule("DynamicQuantizeMatMul", "MatMulIntegerToFloat", domain=_DOMAIN)
def _float_product(op: Op) -> Sequence[Type | None]:
    """Products of quantized numbers, as floats: the scale of the second operand tells which."""
    a, b = tensor(op.inputs[0]), tensor(op.inputs[1])
    scale = tensor(op.inputs[2])
    if scale is None:
        return ()
    return (TensorType(scale.dtype, matmul_shape(_shape(a), _shape(b))),)


@shape_rule("MatMulNBits", domain=_DOMAIN)
def _matmul_bits(op: Op) -> Sequence[Type | None]:
    a, columns = tensor(op.inputs[0]), op.attr("N")
    if a is None:
        return ()
    return (TensorType(a.dtype, None if a.shape is None or columns is None else (*a.shape[:-1], columns)),)


@shape_rule("QLinearAdd", "QLinearMul", domain=_DOMAIN)
def _two(op: Op) -> Sequence[Type | None]:
    """Operands: a, its scale and zero point, b, its scale and zero point, those of the result."""
    a, b = tensor(op.inputs[0]), tensor(op.inputs[3])
    return (None if a is None else TensorType(a.dtype, broadcast(a.shape, _shape(b))),)


@shape_rule("QuantizeLinear", domain=_DOMAIN)
def _quantize(op: Op) -> Sequence[Type | None]:
    data, zero = tensor(op.inputs[0]), tensor(op.input(2))
    dtype = DType.UINT8 if op.input(2) is None else None if zero is None else zero.dtype
    return (None if data is None or dtype is None else TensorType(dtype, data.shape),)


@shape_rule("DequantizeLinear", domain=_DOMAIN)
def _dequantize(op: Op) -> Sequence[Type | None]:
    data, scale = tensor(op.inputs[0]), tensor(op.inputs[1])
    return (None if scale is None else TensorType(scale.dtype, _shape(data)),)


@shape_rule("Attention", domain=_DOMAIN)
def _attention(op: Op) -> Sequence[Type | None]:
    """The result has the width of the values: a third of the columns of the packed weights, if not told otherwise."""
    data, weights = tensor(op.inputs[0]), tensor(op.inputs[1])
    if data is None or data.shape is None or weights is None or weights.shape is None:
        return (None if data is None else TensorType(data.dtype),)
    widths, columns = op.attr("qkv_hidden_sizes"), weights.shape[-1]
    if widths is None and (not isinstance(columns, int) or columns % 3):
        return (TensorType(data.dtype),)
    width: Dim = widths[2] if widths else columns // 3  # type: ignore[operator]  # a number
    return (TensorType(data.dtype, (*data.shape[:-1], width)),)


@shape_rule("MultiHeadAttention", domain=_DOMAIN)
def _multi_head_attention(op: Op) -> Sequence[Type | None]:
    query, value = tensor(op.inputs[0]), tensor(op.input(2))
    if query is None or query.shape is None or len(query.shape) != 3:
        return (None if query is None else TensorType(query.dtype),)
    if value is None or value.shape is None or len(value.shape) != 3:
        return (TensorType(query.dtype),)
    return (TensorType(query.dtype, (*query.shape[:2], value.shape[2])),)


def _shape(type_: TensorType | None) -> tuple[Dim, ...] | None:
    return None if type_ is None else type_.shape
