"""Weights of few bits, quantized in blocks (com.microsoft MatMulNBits)."""

from __future__ import annotations

import numpy as np

from ....ir import Array, DType, Op, Value
from ....rewrite import Numerics, P, RejectError, Rewriter, rule

_HEAD = '<ir_version: 8, opset_import: ["" : 18, "com.microsoft" : 1]>\nexample'


@rule(
    P.op("MatMulNBits", domain="com.microsoft")(
        "a", P.const("w"), P.const("s"), P.opt(P.const("z")), P.opt("order"), P.opt("b")
    ).as_("op"),
    numerics=Numerics.ROUNDING,
    example=(
        f"{_HEAD} (float[2,16] a) => (float[2,1] y) <uint8[1,1,8] w = {{1, 35, 69, 103, 137, 171, 205, 239}}, "
        "float[1] s = {0.5}> { y = com.microsoft.MatMulNBits<K = 16, N = 1, bits = 4, block_size = 16>(a, w, s) }"
    ),
)
def product(
    rw: Rewriter, a: Value, w: Value, s: Value, z: Value | None, order: Value | None, b: Value | None, op: Op
) -> Value:
    """MatMulNBits(a, w, s, z, b) -> MatMul(a, (w - z) s) + b

    The weights become floats, as far as constants may grow; 4 and 8 bits, in the order in which they lie. ONNX Runtime
    may round otherwise.
    """
    bits, size = op.attr("bits", 4), op.attr("block_size", 0)
    inner, columns = op.attr("K", 0), op.attr("N", 0)
    if order is not None or bits not in (4, 8) or size < 1 or rw.dtype(a) is not DType.FLOAT:
        raise RejectError("the weights lie in another order, or the types are others")
    blocks = -(-inner // size)
    levels = _unpacked(rw.array(w), bits).reshape(columns, blocks, size)
    zero: Array = np.asarray(1 << (bits - 1), np.float32)
    if z is not None:
        zero = (
            rw.array(z).astype(np.float32).reshape(columns, blocks, 1)
            if rw.dtype(z) is DType.FLOAT
            else (_unpacked(rw.array(z).reshape(columns, -1), bits)[:, :blocks, None])
        )
    weight = (levels - zero) * rw.array(s).astype(np.float32).reshape(columns, blocks, 1)
    weight = np.ascontiguousarray(weight.reshape(columns, -1)[:, :inner].T, np.float32)
    result: Value = rw.MatMul(a, rw.const(weight, name="weight"))
    return result if b is None else rw.Add(result, b)


def _unpacked(packed: Array, bits: int) -> Array:
    """The numbers in the bytes of the last axis, the low bits first."""
    if bits == 8:
        return packed.astype(np.float32)
    both = np.stack([packed & 15, packed >> 4], axis=-1)
    result: Array = both.reshape(*packed.shape[:-1], -1).astype(np.float32)
    return result
