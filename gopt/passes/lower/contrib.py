"""Operators of ONNX Runtime's own domain, as its optimizer and its quantizer leave them, said by standard ones."""

from __future__ import annotations

import numpy as np

from ...ir import Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule

MS = "com.microsoft"


def _model(signature: str, call: str) -> str:
    """The text of an example."""
    head = '<ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1]>'
    return f"{head}\nexample {signature} {{ y = com.microsoft.{call} }}"


@rule(
    P.op("FusedMatMul", domain=MS)("a", "b").as_("op"),
    example=_model("(float[2,3] a, float[4,3] b) => (float[2,4] y)", "FusedMatMul<transB = 1, alpha = 0.5>(a, b)"),
    numerics=Numerics.ROUNDING,
)
def fused_matmul(rw: Rewriter, a: Value, b: Value, op: object) -> Value:
    """FusedMatMul(a, b; transA, transB, alpha) -> alpha MatMul(a^T, b^T)

    Applies where the ranks of what is transposed are known, without transposed batches. Rounds once more for alpha.
    """
    root = rw.root
    if root.attr("transBatchA", 0) or root.attr("transBatchB", 0):
        raise RejectError("batches are transposed")
    if root.attr("transA", 0):
        a = _transposed(rw, a)
    if root.attr("transB", 0):
        b = _transposed(rw, b)
    result: Value = rw.MatMul(a, b)
    alpha = root.attr("alpha", 1.0)
    return result if alpha == 1.0 else rw.Mul(result, rw.const(np.asarray(alpha), like=a))


def _transposed(rw: Rewriter, value: Value) -> Value:
    shape = rw.shape(value)
    if shape is None or len(shape) < 2:
        raise RejectError("the rank is not known")
    axes = list(range(len(shape)))
    result: Value = rw.Transpose(value, perm=[*axes[:-2], axes[-1], axes[-2]])
    return result


@rule(
    P.op("Gelu", domain=MS)("x"),
    numerics=Numerics.ROUNDING,
    example=_model("(float[2,3] x) => (float[2,3] y)", "Gelu(x)"),
)
def gelu(rw: Rewriter, x: Value) -> Value:
    """com.microsoft.Gelu(x) -> x (1 + Erf(x / sqrt(2))) / 2

    Rounds in other places.
    """
    half, root = (rw.const(np.asarray(v), like=x) for v in (0.5, np.sqrt(2.0)))
    one = rw.const(np.asarray(1.0), like=x)
    result: Value = rw.Mul(rw.Mul(x, rw.Add(rw.Erf(rw.Div(x, root)), one)), half)
    return result


@rule(
    P.op("QuickGelu", domain=MS)("x").as_("op"),
    numerics=Numerics.ROUNDING,
    example=_model("(float[2,3] x) => (float[2,3] y)", "QuickGelu<alpha = 1.702>(x)"),
)
def quick_gelu(rw: Rewriter, x: Value, op: object) -> Value:
    """QuickGelu(x; alpha) -> x Sigmoid(alpha x)

    Rounds in other places.
    """
    alpha = rw.root.attr("alpha", 1.702)
    result: Value = rw.Mul(x, rw.Sigmoid(rw.Mul(x, rw.const(np.asarray(alpha), like=x))))
    return result


@rule(
    P.op("FusedConv", domain=MS)("x", "w", P.opt("b")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=_model(
        "(float[1,2,4,4] x, float[3,2,3,3] w) => (float[1,3,2,2] y)",
        'FusedConv<activation = "Relu", kernel_shape = [3,3]>(x, w)',
    ),
)
def fused_conv(rw: Rewriter, x: Value, w: Value, b: Value | None, op: object) -> Value:
    """FusedConv(x, w, b; activation) -> activation(Conv(x, w, b))

    For Relu, Tanh, Sigmoid, LeakyRelu, Clip and HardSigmoid; without an addend.
    """
    attrs = rw.copy_attrs(rw.root)
    kind = rw.root.attr("activation", "")
    params = rw.root.attr("activation_params", ())
    for name in ("activation", "activation_params"):
        attrs.pop(name, None)
    result: Value = rw.Conv(x, w, b, **attrs)
    if kind in ("Relu", "Tanh", "Sigmoid"):
        return rw.op(kind, result)  # type: ignore[no-any-return]
    if kind == "LeakyRelu" and params:
        return rw.LeakyRelu(result, alpha=params[0])  # type: ignore[no-any-return]
    if kind == "Clip" and len(params) == 2:
        low, high = (rw.const(np.asarray(v), like=x) for v in params)
        return rw.Clip(result, low, high)  # type: ignore[no-any-return]
    if kind == "HardSigmoid" and len(params) == 2:
        return rw.HardSigmoid(result, alpha=params[0], beta=params[1])  # type: ignore[no-any-return]
    if kind:
        raise RejectError(f"the activation {kind} is not known")
    return result
