"""`lower`: names of dims, axes of Squeeze, trip counts, sparse weights, results of normalizations, 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from gopt.frontends.onnx import load, to_bytes
from gopt.passes import run_pipeline
from gopt.rewrite import Context
from tests.unit.passes.clean.rewriting import Rewritten, rewrite

# -- dims --------------------------------------------------------------------------------------------------------------


def dims_after(shape: list[Any]) -> list[str]:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)],
    )
    model = load(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8))
    run_pipeline(model, "lower.dims", Context(model))
    made = onnx.load_from_string(to_bytes(model))
    return [d.dim_param or str(d.dim_value) for d in made.graph.input[0].type.tensor_type.shape.dim]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (["?", 3, "?", "?"], ["0", "3", "0", "0"]),
        (["None", "batch"], ["0", "batch"]),
        (["-1", 2], ["0", "2"]),
        (["batch", 3], ["batch", "3"]),
        (["?x", 3], ["?x", "3"]),
    ],
)
def test_placeholders_name_no_dim(shape: list[Any], expected: list[str]) -> None:
    assert dims_after(shape) == expected


# -- squeeze -----------------------------------------------------------------------------------------------------------


def squeeze(text: str, **options: Any) -> Rewritten:
    return rewrite(text, "lower.squeeze", **options)


def test_axes_of_known_sizes() -> None:
    done = squeeze("(float[2,1,3,1] x) => (float[2,3] y) { y = Squeeze(x) }")
    assert done.fired == ["squeeze"]
    assert done.op("Squeeze").inputs[1].const.numpy().tolist() == [1, 3]  # type: ignore[union-attr]


def test_nothing_to_squeeze() -> None:
    assert squeeze("(float[2,3] x) => (float[2,3] y) { y = Squeeze(x) }").ops == ["Identity"]


def test_axes_as_an_attribute() -> None:
    done = squeeze("(float[2,1] x) => (float[2] y) { y = Squeeze(x) }", opset=11)
    assert done.op("Squeeze").attrs["axes"].value == (1,)


def test_a_dim_that_may_be_one_is_left() -> None:
    assert squeeze("(float[N,1,3] x) => (float y) { y = Squeeze(x) }", sizes={"x": np.ones((2, 1, 3), "f")}).fired == []


def test_a_dim_that_a_later_op_wants() -> None:
    text = "(float[N,1,3] x) => (float y) { s = Squeeze(x) y = Transpose<perm = [1,0]>(s) }"
    done = squeeze(text, sizes={"x": np.ones((2, 1, 3), "f")})
    assert done.op("Squeeze").inputs[1].const.numpy().tolist() == [1]  # type: ignore[union-attr]


def test_a_squeeze_with_axes_is_left() -> None:
    text = "(float[2,1,1] x) => (float[2,1] y) <int64[1] a = {1}> { y = Squeeze(x, a) }"
    assert squeeze(text).fired == []


def test_a_squeeze_in_a_body() -> None:
    text = """(bool c, float[2,1] x) => (float[2] y) { y = If(c) <then_branch = a () => (float[2] p) { p = Squeeze(x) },
        else_branch = b () => (float[2] q) { t = Neg(x) q = Squeeze(t) }> }"""
    assert squeeze(text, sizes={"c": np.array(True)}).fired == ["squeeze", "squeeze"]


# -- loops -------------------------------------------------------------------------------------------------------------

WHILE = """(int32 n, float[2] x) => (float[2] y, float z) <int32 i = {0}, bool always = {1}>
{ COND
  k, y, z = Loop("", c, i, x) <body = b
  (int64 turn, bool go, int32 j, float[2] s) => (bool on, int32 j2, float[2] t, float[2] u)
  { one = Constant<value = int32 {STEP}>() j2 = Add(j, one) t = Add(s, x) u = Mul(t, t) NEXT }> }"""


def loop(cond: str = "c = Less(i, n)", step: int = 1, then: str = "on = Less(j2, n)", **options: Any) -> Rewritten:
    text = WHILE.replace("COND", cond).replace("STEP", str(step)).replace("NEXT", then)
    return rewrite(text, "lower.loops", sizes={"n": np.array(5, np.int32)} | options.pop("sizes", {}), **options)


@pytest.mark.parametrize("n", [-3, 0, 1, 2, 5, 8])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_loop_that_counts(n: int, step: int) -> None:
    done = loop(step=step, sizes={"n": np.array(n, np.int32)})
    assert done.fired == ["loops.trip_count"]
    trips = done.op("Loop").inputs[0]
    assert trips is not None
    assert [v.const.item() for v in done.op("Loop").inputs[1:2] if v and v.const] == [True]


@pytest.mark.parametrize("n", [-1, 0, 4])
@pytest.mark.parametrize(
    ("cond", "then"),
    [
        ("c = LessOrEqual(i, n)", "on = LessOrEqual(j2, n)"),
        ("c = Greater(n, i)", "on = Greater(n, j2)"),
        ("c = GreaterOrEqual(n, i)", "on = GreaterOrEqual(n, j2)"),
        (
            "f = Cast<to = 1>(n) zero = Constant<value = float {0}>() c = Less(zero, f)",
            "g = Cast<to = 1>(j2) on = Less(g, f)",
        ),
    ],
)
def test_ways_to_compare(cond: str, then: str, n: int) -> None:
    assert loop(cond, 1, then, sizes={"n": np.array(n, np.int32)}).fired == ["loops.trip_count"]


@pytest.mark.parametrize("n", [-1, 0, 1, 4])
@pytest.mark.parametrize("within", [False, True])
def test_where_sizes_are_fixed_all_is_constant(n: int, within: bool) -> None:
    less = "LessOrEqual" if within else "Less"
    begins = n >= 0 if within else n > 0
    cond = f"c = Constant<value = bool {{{int(begins)}}}>()"
    then = f"g = Cast<to = 1>(j2) h = Constant<value = float {{{n}.0}}>() on = {less}(g, h)"
    fired = loop(cond, 1, then, sizes={"n": np.array(n, np.int32)}).fired
    assert fired == (["loops.trip_count"] if begins else [])


def test_a_first_turn_that_runs_in_any_case_is_not_counted() -> None:
    cond, then = "c = Constant<value = bool {1}>()", "h = Constant<value = int32 {-2}>() on = Less(j2, h)"
    assert loop(cond, 1, then, sizes={"n": np.array(1, np.int32)}).fired == []


def test_a_limit_with_a_fraction_is_left() -> None:
    then = "g = Cast<to = 1>(j2) h = Constant<value = float {2.5}>() on = Less(g, h)"
    assert loop("c = Constant<value = bool {1}>()", 1, then, sizes={"n": np.array(1, np.int32)}).fired == []


@pytest.mark.parametrize(
    ("cond", "step", "then"),
    [
        ("c = Identity(always)", 1, "on = Less(j2, n)"),  # the first turn runs in any case
        ("c = Less(i, n)", 1, "on = LessOrEqual(j2, n)"),
        ("c = Less(i, n)", 1, "on = Less(j, n)"),  # not the next number
        ("c = Less(i, n)", 1, "m = Neg(j) h = Sub(m, n) on = Less(j2, h)"),  # the limit moves
    ],
)
def test_a_loop_that_does_not_simply_count(cond: str, step: int, then: str) -> None:
    sizes = {"n": np.array(-2, np.int32)}
    assert loop(cond, step, then, sizes=sizes).fired == []


def test_a_negative_step_is_left() -> None:
    assert loop("c = Less(n, i)", -1, "on = Less(n, j2)", sizes={"n": np.array(-3, np.int32)}).fired == []


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_sparse_initializers_become_dense() -> None:
    model = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[2,3] x) => (float[2,3] y) { y = Add(x, w) }'
    )
    values = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [2], [5.0, 7.0])
    indices = onnx.helper.make_tensor("at", onnx.TensorProto.INT64, [2], [1, 5])
    model.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [2, 3]))
    loaded = load(model)
    run_pipeline(loaded, "lower.sparse", Context(loaded))
    made = onnx.load_from_string(to_bytes(loaded))
    assert not made.graph.sparse_initializer
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(made.graph.initializer[0]), [[0, 5, 0], [0, 0, 7]])


def test_further_results_of_a_normalization() -> None:
    text = (
        "(float[2,3,4] x, float[3,4] s) => (float y, float m, float d) { y, m, d = LayerNormalization<axis = 1>(x, s) }"
    )
    done = rewrite(text, "lower.norm")
    assert done.fired == ["norm.single_result"]
    assert len([v for v in done.op("LayerNormalization").outputs if v is not None]) == 1


def test_a_single_result_is_left() -> None:
    text = "(float[2,3] x, float[3] s) => (float y) { y = LayerNormalization(x, s) }"
    assert rewrite(text, "lower.norm").fired == []


@pytest.mark.parametrize("length", [None, 4, 9])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize(("axis", "inverse"), [(1, 0), (2, 0), (1, 1), (-2, 0)])
def test_a_transform(length: int | None, parts: int, axis: int, inverse: int) -> None:
    """Against numpy's: ONNX Runtime's own is off by more than the product is."""
    text = f"""(float[2,6,5,{parts}] x) => (float y) <int64 n = {{{length or 0}}}>
    {{ y = DFT<axis = {axis}, inverse = {inverse}>(x, "{"n" if length else ""}") }}"""
    done = rewrite(text, "lower.dft", opset=17, runs=False)
    assert done.fired == ["dft.matmul"]
    x = np.random.default_rng(0).normal(size=(2, 6, 5, parts)).astype(np.float32)
    signal = x[..., 0] + (1j * x[..., 1] if parts == 2 else 0)
    wanted = (np.fft.ifft if inverse else np.fft.fft)(signal, length, axis=axis % 4 if axis > 0 else axis + 1)
    session = ort.InferenceSession(to_bytes(done.model), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"x": x})
    np.testing.assert_allclose(got[..., 0] + 1j * got[..., 1], wanted, rtol=1e-5, atol=1e-5)


def test_a_one_sided_transform() -> None:
    text = "(float[2,8,1] x) => (float y) { y = DFT<axis = 1, onesided = 1>(x) }"
    assert rewrite(text, "lower.dft", opset=17, runs=False).fired


def test_a_transform_of_unknown_length_is_left() -> None:
    text = "(float[2,N,1] x) => (float y) { y = DFT<axis = 1>(x) }"
    assert rewrite(text, "lower.dft", opset=17, sizes={"x": np.ones((2, 4, 1), "f")}).fired == []


def test_pictures_are_cast_first() -> None:
    text = "(uint8[2,4,4,3] x) => (float y) { t = Transpose<perm = [0,3,1,2]>(x) y = Cast<to = 1>(t) }"
    done = rewrite(text, "lower.types")
    assert (done.fired, done.ops) == (["types.cast_first"], ["Cast", "Transpose"])


def test_pictures_that_are_only_moved() -> None:
    done = rewrite("(uint8[2,3] x) => (uint8 y) { y = Transpose(x) }", "lower.types")
    assert done.ops == ["Cast", "Transpose", "Cast"]


def test_floats_are_left() -> None:
    assert rewrite("(float[2,3] x) => (float16 y) { t = Transpose(x) y = Cast<to = 10>(t) }", "lower.types").fired == []


@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_a_softmax_of_a_vector(kind: str) -> None:
    done = rewrite(f"(float[4] x) => (float y) {{ y = {kind}(x) }}", "lower.ranks")
    assert done.ops == ["Unsqueeze", kind, "Squeeze"]
    assert rewrite(f"(float[2,4] x) => (float y) {{ y = {kind}(x) }}", "lower.ranks").fired == []


def test_a_vector_times_a_stack_of_matrices() -> None:
    done = rewrite("(float[3] a, float[2,3,4] b) => (float y) { y = MatMul(a, b) }", "lower.ranks")
    assert done.ops == ["Unsqueeze", "MatMul", "Squeeze"]
    assert rewrite("(float[3] a, float[3,4] b) => (float y) { y = MatMul(a, b) }", "lower.ranks").fired == []
    assert rewrite("(float[2,3] a, float[2,3,4] b) => (float y) { y = MatMul(a, b) }", "lower.ranks").fired == []


@pytest.mark.parametrize(("bounds", "kinds"), [("l, h", ["Max", "Min"]), ("l", ["Max"]), ('"", h', ["Min"])])
def test_integers_are_clipped_by_other_operators(bounds: str, kinds: list[str]) -> None:
    text = f"(int64[3] x) => (int64 y) <int64 l = {{-1}}, int64 h = {{-3}}> {{ y = Clip(x, {bounds}) }}"
    assert rewrite(text, "lower.types").ops == kinds
    assert rewrite("(float[3] x) => (float y) <float l = {0}> { y = Clip(x, l) }", "lower.types").fired == []


def test_what_is_below_zero_of_int32() -> None:
    assert rewrite("(int32[3] x) => (int32 y) { y = Relu(x) }", "lower.types").ops == ["Max"]
    assert rewrite("(int64[3] x) => (int64 y) { y = Relu(x) }", "lower.types").fired == []


CONDITION = """(float[2] x, int64 n) => (float y) { y = Loop(n, "", x) <body = b (int64 i, bool g, float[2] s)
=> (bool h, float[2] t) { t = Neg(s) BODY }> }"""


@pytest.mark.parametrize(
    ("body", "fired"),
    [
        pytest.param("h = Identity(g)", 1, id="handed on"),
        pytest.param("h = Constant<value = bool {1}>()", 1, id="true"),
        pytest.param("h = Constant<value = bool {0}>()", 0, id="false"),
        pytest.param("z = Constant<value = int64 {1}>() h = Less(i, z)", 0, id="computed"),
    ],
)
def test_a_condition_that_is_absent(body: str, fired: int) -> None:
    """ONNX's clause does not look at what the body gives then; ONNX Runtime does. So it has to be true."""
    done = rewrite(CONDITION.replace("BODY", body), "lower.loops.condition", sizes={"n": np.array(3)})
    assert done.fired == ["loops.condition"] * fired
