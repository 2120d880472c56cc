"""Normalizations against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from gopt import ops
from gopt.ir import DType, Symbol, TensorType

from .making import F32, compute, make, results, typed, types

N = Symbol("n")
rng = np.random.default_rng(0)
X = rng.standard_normal((2, 3, 4)).astype(np.float32)
SCALE, BIAS, MEAN = (rng.standard_normal(3).astype(np.float32) for _ in range(3))
VARIANCE = rng.random(3).astype(np.float32)


def test_batch_normalization() -> None:
    expected = (X - MEAN[:, None]) / np.sqrt(VARIANCE[:, None] + 1e-5) * SCALE[:, None] + BIAS[:, None]
    assert np.allclose(compute(make("BatchNormalization", X, SCALE, BIAS, MEAN, VARIANCE)), expected, atol=1e-5)
    rows = X[:, :, 0]
    found = compute(make("BatchNormalization", rows, SCALE, BIAS, MEAN, VARIANCE))
    assert np.allclose(found, expected[:, :, 0], atol=1e-5)


def test_batch_normalization_in_training_is_not_computed_as_inference() -> None:
    op = make("BatchNormalization", typed(N, 3, 4), *(typed(3),) * 4, outputs=3, training_mode=1)
    first = types(op)[0]
    assert first is None or (isinstance(first, TensorType) and first.dtype is F32)
    op = make("BatchNormalization", X, SCALE, BIAS, MEAN, VARIANCE, training_mode=1, outputs=3)
    found = ops.evaluate(op, [v.const.numpy() for v in op.inputs if v is not None and v.const is not None])
    assert np.allclose(found[0].mean((0, 2)), BIAS, atol=1e-4)


def test_layer_normalization() -> None:
    scale = np.ones(4, np.float32)
    y, mean, inverse = results(make("LayerNormalization", X, scale, outputs=3, opset=17))
    assert np.allclose(y, (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 1e-5), atol=1e-5)
    assert mean.shape == inverse.shape == (2, 3, 1)
    assert np.allclose(mean, X.mean(-1, keepdims=True))
    half = X.astype(np.float16)
    y, mean, _ = results(make("LayerNormalization", half, scale.astype(np.float16), outputs=3, opset=17))
    assert (y.dtype, mean.dtype) == (np.float16, np.float32)


def test_layer_normalization_types() -> None:
    x = TensorType(DType.FLOAT16, (N, 3, 4))
    found = types(make("LayerNormalization", x, ..., outputs=3, axis=1))
    assert found == [x, TensorType(F32, (N, 1, 1)), TensorType(F32, (N, 1, 1))]


def test_instance_and_rms_normalization() -> None:
    found = compute(make("InstanceNormalization", X, SCALE, BIAS))
    centred = (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 1e-5)
    assert np.allclose(found, centred * SCALE[:, None] + BIAS[:, None], atol=1e-5)
    found = compute(make("RMSNormalization", X, np.full(4, 2, np.float32), opset=23))
    assert np.allclose(found, 2 * X / np.sqrt((X**2).mean(-1, keepdims=True) + 1e-5), atol=1e-5)


@pytest.mark.parametrize(
    "op_type", ["GroupNormalization", "InstanceNormalization", "LRN", "LpNormalization", "MeanVarianceNormalization"]
)
def test_the_others_keep_the_type(op_type: str) -> None:
    attrs = {"GroupNormalization": {"num_groups": 3}, "LRN": {"size": 3}}.get(op_type, {})
    assert types(make(op_type, typed(N, 3, 4), typed(3), typed(3), **attrs)) == [typed(N, 3, 4)]
