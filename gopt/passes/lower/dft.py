"""The discrete Fourier transform as a product with a constant matrix."""

from __future__ import annotations

import numpy as np

from ...ir import Array, DType, Op, Value
from ...rewrite import Numerics, P, RejectError, Rewriter, rule
from ..example import example


@rule(
    P.DFT("x", P.opt(P.const("length")), P.opt(P.const("axis"))).as_("op"),
    numerics=Numerics.ROUNDING,
    example=example("(float[2,6,2] x) => (float[2,6,2] y) { y = DFT<axis = 1>(x) }", 17),
)
def matmul(rw: Rewriter, x: Value, length: Value | None, axis: Value | None, op: Op) -> Value:
    """DFT(x) -> MatMul(x, cos and sin of all angles), with Transposes and Reshapes around it

    Applies to float32 where the axis, the length of the signal and that of the transform are known, be it real or
    complex; not to the inverse of a one-sided transform. Rounds in other places. Costs n products for each frequency in
    place of their logarithm, which for the lengths of audio models is less than most compilers take for the transform.
    """
    shape = rw.shape(x)
    if shape is None or len(shape) < 3 or shape[-1] not in (1, 2) or rw.dtype(x) is not DType.FLOAT:
        raise RejectError("the shape or type of the signal is not known")
    at = (int(rw.array(axis).item()) if axis is not None else -2) % len(shape)
    samples = shape[at]
    if at == len(shape) - 1 or not isinstance(samples, int) or samples < 1:
        raise RejectError("the length of the signal is not known")
    points = samples if length is None else int(rw.array(length).item())
    inverse, onesided = bool(rw.attr(op, "inverse")), bool(rw.attr(op, "onesided"))
    if points < 1 or (inverse and onesided):
        raise RejectError("the inverse of a one-sided transform")
    matrix = _matrix(samples, points, shape[-1], inverse, onesided)
    rank = len(shape)
    forth = [k for k in range(rank - 1) if k != at] + [at, rank - 1]
    flat = x if forth == list(range(rank)) else rw.Transpose(x, perm=forth)
    lead = [0] * (rank - 2)
    flat = rw.Reshape(flat, [*lead, samples * shape[-1]])
    made = rw.Reshape(rw.MatMul(flat, rw.const(matrix, like=x, name="dft")), [*lead, matrix.shape[1] // 2, 2])
    back = [forth.index(k) for k in range(rank)]
    result: Value = made if back == list(range(rank)) else rw.Transpose(made, perm=back)
    return result


def _matrix(samples: int, points: int, parts: int, inverse: bool, onesided: bool) -> Array:
    """[samples * parts, frequencies * 2]: what each part of each sample adds to each part of each frequency."""
    used = min(samples, points)
    frequencies = points // 2 + 1 if onesided else points
    # The product modulo the period first: the angles stay small and their sines exact.
    turns = np.outer(np.arange(used), np.arange(frequencies)) % points
    angle = 2 * np.pi * turns / points
    real, imaginary = np.cos(angle), np.sin(angle) if inverse else -np.sin(angle)
    found = np.zeros((samples, parts, frequencies, 2))
    found[:used, 0, :, 0], found[:used, 0, :, 1] = real, imaginary
    if parts == 2:
        found[:used, 1, :, 0], found[:used, 1, :, 1] = -imaginary, real
    result: Array = found.reshape(samples * parts, frequencies * 2) / (points if inverse else 1)
    return result
