"""Kernels and shape rules against ONNX's own node cases: same numbers, and no type that the arrays contradict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gopt import ops
from gopt.analysis import infer
from gopt.ir import Array, DType, Model, Symbol, TensorType, Value

from .nodecases import Bindings, arrays_of, cases, contradiction, model_of, run

# Expected numbers that are written down with few digits only.
ROUNDED = {
    "test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-4,
    "test_gridsample_bicubic": 1e-4,
    "test_roialign_aligned_false": 1e-4,
    "test_roialign_aligned_true": 1e-4,
}
FAMILY = 40


def _tolerance(array: Array) -> float:
    return {1: 0.1, 2: 2e-3}.get(array.dtype.itemsize, 2e-5)


def _check_numbers(case: Path, model: Model, known: dict[Value, Array], expected: list[Array]) -> None:
    for value, wanted in zip(model.graph.outputs, expected):
        have = known[value] if value in known else value.const.numpy()
        assert have.shape == wanted.shape, case.name
        assert have.dtype == wanted.dtype, case.name
        if have.dtype.kind in "iubOc":
            assert np.allclose(have, wanted) if have.dtype.kind == "c" else np.array_equal(have, wanted), case.name
        else:
            tolerance = ROUNDED.get(case.name, _tolerance(have))
            left, right = have.astype(np.float64), wanted.astype(np.float64)
            assert np.allclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True), case.name


def _check_types(case: Path, model: Model, arrays: dict[str, Array]) -> None:
    bound: Bindings = {}
    for value in model.graph.values:
        if value.name in arrays:
            wrong = contradiction(value.type, arrays[value.name], bound)
            assert not wrong, f"{case.name}: {value.name}: {wrong}"


def _batches() -> list[list[Path]]:
    found = cases()
    return [found[k : k + FAMILY] for k in range(0, len(found), FAMILY)]


@pytest.mark.parametrize("batch", _batches(), ids=lambda batch: batch[0].name.removeprefix("test_"))
def test_kernels_and_shape_rules_agree_with_the_cases(batch: list[Path]) -> None:
    for case in batch:
        model = model_of(case)
        infer(model)
        inputs, expected = arrays_of(case, "input"), arrays_of(case, "output")
        if inputs is None or expected is None:
            continue
        try:
            known = run(model, inputs)
        except ops.NoKernel:
            continue
        _check_numbers(case, model, known, expected)
        arrays = {value.name: array for value, array in known.items()}
        _check_types(case, model, arrays)
        unknown_sizes = model_of(case)
        for value in unknown_sizes.graph.inputs:
            declared = value.declared.type
            if isinstance(declared, TensorType) and declared.shape:
                value.type = TensorType(declared.dtype, tuple(Symbol() for _ in declared.shape))
        infer(unknown_sizes)
        _check_types(case, unknown_sizes, arrays)


def test_most_cases_are_computed_by_kernels_of_ours() -> None:
    """A kernel that refuses everything would pass the test above."""
    without = {
        op.op_type
        for case in cases()
        for op in model_of(case).graph.ops
        if not op.domain and not op.bodies and not ops.is_random(op)
        if (known := ops.opdef(op)) is None or known.kernel is None
    }
    assert without <= NO_KERNEL


# Left to onnx.reference, or to nobody.
# fmt: off
NO_KERNEL = {
    "AffineGrid", "Attention", "AveragePool", "CausalConvWithState", "Col2Im", "Conv", "ConvInteger",
    "ConvTranspose", "DFT", "DeformConv", "DequantizeLinear", "Det", "DynamicQuantizeLinear", "GRU",
    "GlobalAveragePool", "GlobalMaxPool", "GridSample", "GroupNormalization", "ImageDecoder", "LRN", "LSTM",
    "LinearAttention", "LpNormalization", "LpPool", "MaxPool", "MaxUnpool", "MeanVarianceNormalization",
    "MelWeightMatrix", "NegativeLogLikelihoodLoss", "NonMaxSuppression", "OptionalGetElement",
    "OptionalHasElement", "QLinearConv", "QLinearMatMul", "QuantizeLinear", "RNN", "RegexFullMatch", "RoiAlign",
    "RotaryEmbedding", "STFT", "SequenceEmpty", "SequenceInsert", "SequenceLength", "SoftmaxCrossEntropyLoss",
    "SplitToSequence", "StringConcat", "StringNormalizer", "StringSplit", "TfIdfVectorizer", "Unique",
    "Upsample",
}
# fmt: on


def test_a_wrong_type_is_noticed() -> None:
    array = np.zeros((2, 3), np.float32)
    size = Symbol()
    assert contradiction(TensorType(DType.FLOAT, (2, 3)), array, {}) == ""
    assert contradiction(TensorType(DType.FLOAT, (2, 4)), array, {})
    assert contradiction(TensorType(DType.FLOAT, (2,)), array, {})
    assert contradiction(TensorType(DType.DOUBLE), array, {})
    assert contradiction(TensorType(DType.FLOAT, (size, size)), array, {})
    assert contradiction(TensorType(DType.FLOAT, (size, Symbol())), array, {size: 5})
