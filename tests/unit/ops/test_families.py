"""What holds for all families: operators known, flags, malformed ops; and the families that have shapes only."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import defs, numpy_helper

from gopt import ops
from gopt.analysis import infer, infer_op
from gopt.frontends.onnx import load
from gopt.ir import Array, DType, OptionalType, SequenceType, Symbol, TensorType, Type
from gopt.ops.sizes import product, total

from .making import BOOL, F32, I64, U8, compute, ints, make, shape_of, typed, types, unknown
from .nodecases import Bindings, arrays_of, cases, contradiction

N, M = Symbol("n"), Symbol("m")

# Their results' types come from bodies (or, of Constant, from the frontend), or the operator is one of ai.onnx.ml.
WITHOUT_RULE = {"Constant", "If", "Loop", "Scan", "SequenceMap"}


def test_every_standard_operator_has_a_shape_rule() -> None:
    standard = {s.name for s in defs.get_all_schemas() if s.domain == ""}
    known = {d.name for d in ops.definitions() if d.domain == "" and d.infer is not None}
    assert standard - known == WITHOUT_RULE


def test_every_operator_of_the_ml_domain_is_known() -> None:
    names = {s.name for s in defs.get_all_schemas() if s.domain == "ai.onnx.ml"}
    assert names <= {d.name for d in ops.definitions() if d.domain == "ai.onnx.ml"}


def test_all_picks_of_an_array_feature_extractor_count() -> None:
    """The size of the last axis alone was taken for the number of features that are picked."""

    def picked(data: TensorType, picks: TensorType) -> Any:
        return shape_of(make("ArrayFeatureExtractor", data, picks, domain="ai.onnx.ml"))

    assert picked(typed(N, 9), TensorType(I64, (2, 3))) == (N, 6)
    assert picked(typed(9), TensorType(I64, (M, 3))) == (1, product((M, 3)))
    assert picked(typed(9), TensorType(I64, ())) == (1, 1)


def test_flags() -> None:
    def flagged(flag: str) -> set[str]:
        return {d.name for d in ops.definitions() if getattr(d, flag)}

    assert flagged("random") == {
        "Bernoulli",
        "Dropout",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    }
    assert flagged("control") == {"If", "Loop", "Scan", "SequenceMap"}
    assert flagged("quantize") == {
        "ConvInteger",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
    }


def _junk(rng: random.Random) -> Any:
    """An operand that few operators expect."""
    dtype = rng.choice([F32, I64, BOOL, DType.STRING])
    dims = tuple(rng.choice([0, 1, 2, 3, N, M, Symbol()]) for _ in range(rng.randrange(5)))
    tensor = TensorType(dtype, rng.choice([dims, None]))
    return rng.choice(
        [
            None,
            ...,
            tensor,
            tensor,
            SequenceType(tensor),
            OptionalType(tensor),
            ints(*range(rng.randrange(4))),
            -ints(3),
        ]
    )


@pytest.mark.parametrize(
    "name", sorted(d.name for d in ops.definitions() if not d.control and not d.domain and ops.schema(d.name))
)
def test_malformed_ops_raise_nothing(name: str) -> None:
    rng = random.Random(name)
    known = ops.schema(name)
    assert known is not None
    values = [-3, 0, 1, 2, 99, (), (1,), (0, -1), (1, 1, 1, 1), 0.5, "SAME_UPPER", "what"]
    for _ in range(40):
        attrs = {a: rng.choice(values) for a in known.kinds if rng.random() < 0.4}
        operands = [_junk(rng) for _ in range(rng.randrange(6))]
        op = make(name, *operands, opset=rng.choice([1, 6, 7, 11, 13, 21, 27]), outputs=rng.randrange(1, 4), **attrs)
        infer_op(op)
        for value in op.outputs:
            assert value is not None
            _check_sane(value.type)


def _check_sane(type_: Type | None) -> None:
    """Sizes are symbols, or numbers of Python's own that are not negative."""
    if isinstance(type_, (SequenceType, OptionalType)):
        _check_sane(type_.elem)
    elif isinstance(type_, TensorType):
        assert type(type_.dtype) is DType
        for dim in type_.shape or ():
            assert isinstance(dim, Symbol) or (type(dim) is int and dim >= 0)


def _with_constants(proto: onnx.ModelProto, arrays: list[Array]) -> bytes:
    """The model with its small integer inputs, which may be shapes or axes, as initializers."""
    kept = []
    for given, array in zip(list(proto.graph.input), arrays):
        if array.dtype == np.int64 and array.ndim < 2:
            proto.graph.initializer.append(numpy_helper.from_array(array, given.name))
        else:
            kept.append(given)
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    return proto.SerializeToString()


PLAIN = [c for c in cases() if "_expanded" not in c.name and "sequence" not in c.name and "optional" not in c.name]


@pytest.mark.parametrize("start", range(0, len(PLAIN), 100))
def test_symbolic_types_with_constant_shapes_agree_with_the_cases(start: int) -> None:
    """Sizes that happen to be equal in a case are one symbol, so that a wrong claim of equality is seen."""
    for case in PLAIN[start : start + 100]:
        inputs, outputs = arrays_of(case, "input"), arrays_of(case, "output")
        proto = onnx.load(case / "model.onnx")
        if inputs is None or outputs is None or len(inputs) != len(proto.graph.input):
            continue
        wanted = dict(zip([o.name for o in proto.graph.output], outputs))
        given = dict(zip([i.name for i in proto.graph.input], inputs))
        model = load(_with_constants(proto, inputs))
        symbols: dict[int, Symbol] = {}
        for value in model.graph.inputs:
            array = given[value.name]
            dims = tuple(symbols.setdefault(n, Symbol(f"s{n}")) if n > 1 else Symbol() for n in array.shape)
            declared = value.declared.type if value.declared is not None else None
            if isinstance(declared, TensorType):
                value.type = TensorType(declared.dtype, dims)
        infer(model)
        bound: Bindings = {s: n for n, s in symbols.items()}
        for value in model.graph.inputs:
            assert contradiction(value.type, given[value.name], bound) == ""
        for value in model.graph.outputs:
            assert contradiction(value.type, wanted[value.name], bound) == "", case.name


# Recurrent layers, attention


def test_recurrent_layers() -> None:
    x, w, r = typed(N, M, 8), typed(2, 12, 8), typed(2, 12, 3)
    y, last, cell = types(make("LSTM", x, w, r, outputs=3, direction="bidirectional", hidden_size=3))
    assert (y, last, cell) == (typed(N, 2, M, 3), typed(2, M, 3), typed(2, M, 3))
    y, last = types(make("GRU", x, w, r, outputs=2, layout=1))
    assert (y, last) == (typed(N, M, 1, 3), typed(N, 1, 3))
    assert types(make("RNN", ..., w, r)) == [None]


def test_attention() -> None:
    heads = {"q_num_heads": 4, "kv_num_heads": 2}
    q, k, v = typed(N, 5, 32), typed(N, M, 16), typed(N, M, 12)
    y, key, value, scores = types(make("Attention", q, k, v, opset=23, outputs=4, **heads))
    assert y == typed(N, 5, 24)
    assert (key, value, scores) == (typed(N, 2, M, 8), typed(N, 2, M, 6), typed(N, 4, 5, M))
    past = typed(N, 2, 7, 8), typed(N, 2, 7, 6)
    _, key, value, _ = types(make("Attention", q, k, v, None, *past, opset=23, outputs=4, **heads))
    assert key == typed(N, 2, total((M, 7)), 8)
    assert types(make("Attention", q, k, v, opset=23)) == [None]  # packed heads, and no word on how many


# Quantization, random numbers


def test_quantization() -> None:
    x = typed(N, 3)
    zero = typed(dtype=DType.INT4)
    assert types(make("QuantizeLinear", x, typed(), zero)) == [typed(N, 3, dtype=DType.INT4)]
    assert types(make("QuantizeLinear", x, typed())) == [typed(N, 3, dtype=U8)]
    assert types(make("QuantizeLinear", x, typed(), output_dtype=3)) == [typed(N, 3, dtype=DType.INT8)]
    assert types(make("QuantizeLinear", x, typed(), ...)) == [None]
    half = typed(dtype=DType.FLOAT16)
    assert types(make("DequantizeLinear", typed(N, dtype=U8), half)) == [typed(N, dtype=DType.FLOAT16)]
    found = types(make("DynamicQuantizeLinear", x, outputs=3))
    assert found == [typed(N, 3, dtype=U8), typed(), typed(dtype=U8)]


def test_random_numbers() -> None:
    assert types(make("RandomNormal", shape=(2, 3))) == [typed(2, 3)]
    assert types(make("RandomUniformLike", typed(N, dtype=I64), dtype=1)) == [typed(N)]
    assert types(make("RandomNormalLike", typed(N))) == [typed(N)]
    assert types(make("Multinomial", typed(N, 9), sample_size=4)) == [typed(N, 4, dtype=DType.INT32)]
    assert types(make("Bernoulli", typed(N))) == [typed(N)]
    for name in ("RandomNormal", "Bernoulli"):
        with pytest.raises(ops.NoKernel):
            compute(make(name, *([] if name == "RandomNormal" else [np.zeros(3)]), shape=(3,)))


def test_dropout_computes_while_it_is_not_training() -> None:
    x = np.ones((2, 3), np.float32)
    assert np.array_equal(compute(make("Dropout", x)), x)
    assert types(make("Dropout", typed(N), outputs=2)) == [typed(N), typed(N, dtype=BOOL)]
    assert types(make("Dropout", typed(N), outputs=2, opset=7)) == [typed(N), typed(N)]
    training = make("Dropout", x, np.array(0.5, np.float32), np.array(True))
    assert ops.is_random(training)
    with pytest.raises(ops.NoKernel):
        ops.evaluate(training, [x, np.array(0.5, np.float32), np.array(True)])


# Images, signals, text, losses


def test_image_operators() -> None:
    x, rois = typed(N, 3, 9, 9), typed(M, 4)
    assert shape_of(make("RoiAlign", x, rois, ..., output_height=2, output_width=5)) == (M, 3, 2, 5)
    assert shape_of(make("GridSample", x, typed(N, 4, M, 2))) == (N, 3, 4, M)
    assert shape_of(make("AffineGrid", typed(N, 2, 3), ints(4, 3, 5, 6))) == (4, 5, 6, 2)
    assert unknown(shape_of(make("NonMaxSuppression", typed(1, 9, 4), typed(1, 2, 9)))) == [True, False]
    assert shape_of(make("Col2Im", typed(N, 12, 7), ints(8, 9), ints(2, 3))) == (N, 2, 8, 9)


def test_signal_operators() -> None:
    x = typed(N, 10, 1)
    assert shape_of(make("DFT", x)) == (N, 10, 2)
    assert shape_of(make("DFT", x, onesided=1)) == (N, 6, 2)
    assert shape_of(make("DFT", x, np.array(8), onesided=1)) == (N, 5, 2)
    assert shape_of(make("DFT", typed(N, 10, 4, 1), opset=17, onesided=1)) == (N, 6, 4, 2)  # the axis was 1 then
    assert shape_of(make("STFT", typed(N, 100, 1), np.array(10), typed(20))) == (N, 9, 11, 2)
    assert shape_of(make("HannWindow", np.array(7))) == (7,)
    assert shape_of(make("MelWeightMatrix", np.array(8), np.array(16), ..., ..., ...)) == (9, 8)


@pytest.mark.parametrize(("name", "window"), [("HannWindow", np.hanning), ("BlackmanWindow", np.blackman)])
def test_windows(name: str, window: Any) -> None:
    assert np.allclose(compute(make(name, np.array(9), periodic=0)), window(9), atol=1e-6)
    assert np.allclose(compute(make(name, np.array(8))), window(9)[:8], atol=1e-6)
    with pytest.raises(ops.NoKernel):  # 0 / 0 for ONNX Runtime
        compute(make(name, np.array(1), periodic=0))
    assert compute(make(name, np.array(0))).shape == (0,)


def test_windows_of_integers_are_left_to_the_runtime() -> None:
    with pytest.raises(ops.NoKernel):  # where cosines add up to 1, or just not
        compute(make("BlackmanWindow", np.array(4), output_datatype=2))


def test_text_operators() -> None:
    texts = typed(N, 3, dtype=DType.STRING)
    assert types(make("StringConcat", texts, typed(3, dtype=DType.STRING))) == [texts]
    assert types(make("RegexFullMatch", texts, pattern="a")) == [typed(N, 3, dtype=BOOL)]
    assert [unknown(t.shape) for t in types(make("StringSplit", texts, outputs=2)) if isinstance(t, TensorType)] == [
        [True, False, True],
        [True, False],
    ]
    vectors = make("TfIdfVectorizer", texts, ngram_indexes=(0, 4, 2))
    assert types(vectors) == [typed(N, 5)]


def test_losses() -> None:
    scores, target = typed(N, 5, M), typed(N, M, dtype=I64)
    assert types(make("NegativeLogLikelihoodLoss", scores, target)) == [typed()]
    assert types(make("NegativeLogLikelihoodLoss", scores, target, reduction="none")) == [typed(N, M)]
    found = types(make("SoftmaxCrossEntropyLoss", scores, target, outputs=2, reduction="none"))
    assert found == [typed(N, M), scores]


def test_state_space_operators() -> None:
    x, w = typed(N, 6, M), typed(6, 1, 4)
    assert types(make("CausalConvWithState", x, w, opset=27, outputs=2)) == [x, typed(N, 6, 3)]
    heads = {"q_num_heads": 4, "kv_num_heads": 2}
    y, state = types(
        make("LinearAttention", typed(N, M, 32), typed(N, M, 16), typed(N, M, 10), opset=27, outputs=2, **heads)
    )
    assert y == typed(N, M, 20)
    assert state == typed(N, 2, 8, 5)


def test_max_unpool_is_left_to_the_runtime() -> None:
    spread = make("MaxUnpool", np.ones((1, 1, 2, 2), np.float32), ints(5, 7, 13, 15), kernel_shape=(2, 2))
    with pytest.raises(ops.NoKernel):  # runtimes differ in what indices mean beside an `output_shape`
        compute(spread)
