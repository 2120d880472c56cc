"""Operators that treat each element alike, as rules about data movement meet them."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...ir import DType, Op, Value
from ...rewrite import Rewriter

BINARY = (
    "Add", "And", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual", "Less",
    "LessOrEqual", "Mod", "Mul", "Or", "Sub", "Xor",
)  # fmt: skip
"""Operators of two operands that broadcast. Not Pow, which runtimes compute in another way for a scalar exponent."""

UNARY = (
    "Abs", "Cast", "Ceil", "Clip", "Cos", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu",
    "Log", "Mish", "Neg", "Not", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus",
    "Softsign", "Sqrt", "Swish", "Tanh",
)  # fmt: skip
"""Operators of one number, and bounds that are scalars."""

PLACED = (
    "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "Gelu", "Log",
    "Mish", "Pow", "Selu", "Sigmoid", "Sin", "Sinh", "Softplus", "Swish", "Tan", "Tanh",
)  # fmt: skip
"""Operators whose last bit may depend on where an element stands, and among how many: runtimes compute several elements
at once, and those that are left over one by one, by another approximation (ONNX Runtime so for Log, Sin, Exp of doubles
and others)."""

CHOSEN = (DType.FLOAT, DType.DOUBLE, DType.INT32, DType.INT64)
"""Element types that ONNX Runtime's Where takes."""


def again(rw: Rewriter, op: Op, replaced: dict[Value, Value], **changed: Any) -> Value:
    """The same op of other operands, some of its attributes changed."""
    moved = {m.name for m in ops.view.spelled_as_attribute(op)}
    attrs: dict[str, Any] = {n: a for n, a in op.attrs.items() if n not in moved}
    operands = [v if v is None else replaced.get(v, v) for v in ops.operands(op)]
    result: Value = rw.op(op.op_type, *operands, name=op.name, **(attrs | changed))
    return result
