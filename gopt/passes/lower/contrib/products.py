"""Products into which ONNX Runtime fused what came before or after them."""

from __future__ import annotations

from ....ir import Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule
from ._common import MS, activated, number, text, transposed


@rule(
    P.op("FusedMatMul", "TransposeMatMul", domain=MS)("a", "b"),
    example=text("(float[2,3] a, float[4,3] b) => (float[2,4] y)", "FusedMatMul<transB = 1, alpha = 0.5>(a, b)"),
    numerics=Numerics.ROUNDING,
)
def fused_matmul(rw: Rewriter, a: Value, b: Value) -> Value:
    """FusedMatMul(a, b; transA, transB, alpha) -> alpha MatMul(a^T, b^T)

    Applies where the ranks of what is transposed are known, without transposed batches. Rounds once more for alpha.
    """
    root = rw.root
    if root.attr("transBatchA", 0) or root.attr("transBatchB", 0):
        raise RejectError("batches are transposed")
    if root.attr("transA", 0):
        a = _columns(rw, a)
    if root.attr("transB", 0):
        b = _columns(rw, b)
    result: Value = rw.MatMul(a, b)
    alpha = root.attr("alpha", 1.0)
    return result if alpha == 1.0 else rw.Mul(result, number(rw, alpha, a))


def _columns(rw: Rewriter, value: Value) -> Value:
    """A matrix transposed; a vector stays what it is, as ONNX Runtime has it."""
    shape = rw.shape(value)
    return value if shape is not None and len(shape) == 1 else transposed(rw, value)


@rule(
    P.op("FusedGemm", domain=MS)("a", "b", P.opt("c")).as_("op"),
    example=text(
        "(float[2,3] a, float[4,3] b, float[4] c) => (float[2,4] y)",
        'FusedGemm<transB = 1, activation = "LeakyRelu", activation_alpha = 0.2>(a, b, c)',
    ),
    numerics=Numerics.ROUNDING,
)
def fused_gemm(rw: Rewriter, a: Value, b: Value, c: Value | None, op: Op) -> Value:
    """FusedGemm(a, b, c; activation) -> activation(Gemm(a, b, c))

    For the activations of the standard domain that ONNX Runtime fuses.
    """
    given = {name: op.attr(f"activation_{name}", None) for name in ("alpha", "beta", "gamma")}
    attrs = {name: attr for name, attr in rw.copy_attrs(op).items() if not name.startswith("activation")}
    return activated(rw, rw.Gemm(a, b, c, **attrs), op.attr("activation", ""), given)


@rule(
    P.op("FusedConv", domain=MS)("x", "w", P.opt("b"), P.opt("z")).as_("op"),
    numerics=Numerics.ROUNDING,
    example=text(
        "(float[1,2,4,4] x, float[3,2,3,3] w) => (float[1,3,2,2] y)",
        'FusedConv<activation = "Relu", kernel_shape = [3,3]>(x, w)',
    ),
)
def fused_conv(rw: Rewriter, x: Value, w: Value, b: Value | None, z: Value | None, op: Op) -> Value:
    """FusedConv(x, w, b, z; activation) -> activation(Conv(x, w, b) + z)

    For the activations of the standard domain that ONNX Runtime fuses.
    """
    names = ("activation", "activation_params")
    attrs = {name: attr for name, attr in rw.copy_attrs(op).items() if name not in names}
    kind, params = op.attr("activation", ""), tuple(op.attr("activation_params", ()))
    order = {"Clip": ("min", "max"), "HardSigmoid": ("alpha", "beta")}.get(kind, ("alpha",))
    result = rw.Conv(x, w, b, **attrs)
    if z is not None:
        result = rw.Add(result, z)
    return activated(rw, result, kind, dict(zip(order, params)))
