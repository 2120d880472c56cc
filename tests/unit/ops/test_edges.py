"""Where kernels must mind the edges: what wraps, what rounds, and what is refused because runtimes differ or crash."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gopt import ops
from gopt.ir import Array, Attr, DType, Op, Value
from gopt.ops.cast import convert

I32, I64, I8, U8 = np.int32, np.int64, np.int8, np.uint8
F16, F32, F64 = np.float16, np.float32, np.float64
LOW64, HIGH64 = np.iinfo(I64).min, np.iinfo(I64).max
INF, NAN = np.inf, np.nan


def run(op_type: str, *arrays: Any, version: int = 20, outputs: int = 1, **attrs: Any) -> Array:
    op = Op(
        op_type, [None if a is None else Value("x") for a in arrays], outputs, {n: Attr.of(a) for n, a in attrs.items()}
    )
    op.imports = {"": version}
    return ops.evaluate(op, arrays)[0]


def a(numbers: Any, dtype: Any = F32) -> Array:
    return np.array(numbers, dtype)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (run("Div", a([7, -7, 7, -7], I32), a([2, 2, -2, -2], I32)), [3, -3, -3, 3]),
        (run("Div", a([1, -1], I64), a([-2, 2], I64)), [0, 0]),
        (run("Div", a([255], U8), a([2], U8)), [127]),
        (run("Div", a([1.0, -1.0]), a([0.0, 0.0])), [INF, -INF]),
        (run("Mod", a([-7, 7], I32), a([3, -3], I32)), [2, -2]),
        (run("Mod", a([-7, 7], I32), a([3, -3], I32), fmod=1), [-1, 1]),
        (run("Mod", a([-7.5]), a([3.0]), fmod=1), [-1.5]),
        (run("Add", a([HIGH64], I64), a([1], I64)), [LOW64]),
        (run("Mul", a([100], I8), a([3], I8)), [44]),
        (run("Neg", a([-128], I8)), [-128]),
        (run("Pow", a([2, 3], I32), a([3, 2], F32)), [8, 9]),
        (run("Pow", a([2.0, 3.0]), a([3, -1], I64)), [8.0, F32(1 / 3)]),
        (run("Pow", a([2], I64), a([-1], I64)), [0]),
        (run("Round", a([0.5, 1.5, 2.5, -0.5])), [0, 2, 2, 0]),
        (run("Sign", a([-2.0, 0.0, 3.0])), [-1, 0, 1]),
        (run("Clip", a([1.0, 5.0]), a(4.0), a(2.0)), [2, 2]),
        (run("Clip", a([-INF, INF]), a(-1.0), a(1.0)), [-1, 1]),
        (run("Clip", a([1, 5], I8), a(2, I8), None, version=13), [2, 5]),
        (run("Max", a([1.0, NAN]), a([NAN, 2.0])), [NAN, NAN]),
        (run("Min", a([1.0, 3.0]), a([2.0])), [1, 2]),
        (run("Max", a([3], I32)), [3]),
        (run("BitShift", a([1, 255], U8), a([7, 1], U8), direction="LEFT"), [128, 254]),
        (run("Relu", a([-1.0, NAN, 2.0])), [0, NAN, 2]),
        (run("Sigmoid", a([-1000.0, 0.0, 1000.0])), [0, 0.5, 1]),
        (run("Softplus", a([1000.0, -1000.0])), [1000, 0]),
        (run("Softmax", a([1000.0, 1000.0])), [0.5, 0.5]),
        (run("Hardmax", a([1.0, 3.0, 3.0])), [0, 1, 0]),
        (run("IsInf", a([INF, -INF, NAN]), detect_negative=0), [True, False, False]),
        (run("Erf", a([0.0, INF, -INF, NAN])), [0, 1, -1, NAN]),
        (run("ReduceSum", a([[1, 2], [3, 4]], I64), a([1], I64), keepdims=0), [3, 7]),
        (run("ReduceSum", a([[1, 2], [3, 4]], I64), a([], I64), noop_with_empty_axes=1), [[1, 2], [3, 4]]),
        (run("ReduceSum", a([[1, 2], [3, 4]], I64), a([], I64)), [[10]]),
        (run("ReduceSum", a([[1, 2], [3, 4]], I64), version=11, axes=[0], keepdims=0), [4, 6]),
        (run("ReduceMean", a([[1, 2], [4, 4]], I64)), [[2]]),
        (run("ReduceMax", np.zeros((0, 2), F32), a([0], I64), keepdims=0), [-INF, -INF]),
        (run("ReduceMin", a([[True], [False]], np.bool_), a([0], I64)), [[False]]),
        (run("ReduceLogSumExp", a([1000.0, 1000.0]), keepdims=0), F32(1000 + np.log(2))),
        (run("ReduceLogSumExp", a([-INF, -INF]), keepdims=0), -INF),
        (run("ArgMax", a([1, 3, 3], I32), keepdims=0), 1),
        (run("ArgMax", a([1, 3, 3], I32), keepdims=0, select_last_index=1), 2),
        (run("ArgMin", a([[1, 0], [0, 0]], I32), axis=1), [[1], [0]]),
        (run("CumSum", a([1, 2, 3], I32), a(0, I32), exclusive=1), [0, 1, 3]),
        (run("CumSum", a([1, 2, 3], I32), a(-1, I64), reverse=1), [6, 5, 3]),
        (run("CumSum", a([1, 2, 3], I32), a([0], I64), reverse=1, exclusive=1), [5, 3, 0]),
        (run("Cast", a([1.9, -1.9]), to=7), [1, -1]),
        (run("Cast", a([300, -1], I32), to=2), [44, 255]),
        (run("Cast", a([0.0, 0.5, NAN]), to=9), [False, True, True]),
        (run("Cast", a([1e10]), to=10), [INF]),
        (run("Cast", a([7, 8, -9], I32), to=22), [7, -8, 7]),
        (run("Cast", np.array([b"1e2", b" -inf", b"NaN"], object), to=1), [100, -INF, NAN]),
        (run("Cast", np.array([b"-12"], object), to=7), [-12]),
        (run("CastLike", a([1.5]), a([1], I8)), [1]),
        (run("BitCast", a([1.0]), to=6, version=26), [0x3F800000]),
    ],
)
def test_edges(result: Array, expected: Any) -> None:
    np.testing.assert_array_equal(result.astype(F64), np.asarray(expected).astype(F64))


@pytest.mark.parametrize(
    ("op_type", "arrays", "attrs"),
    [
        ("Div", [a([1], I64), a([0], I64)], {}),
        ("Div", [a([LOW64], I64), a([-1], I64)], {}),
        ("Mod", [a([1], I64), a([0], I64)], {}),
        ("Mod", [a([1.0]), a([2.0])], {}),
        ("Mod", [a([HIGH64], I64), a([2], I64)], {"fmod": 1}),
        ("Pow", [a([10], I64), a([30], I64)], {}),
        ("Pow", [a([0], I32), a([-1], I32)], {}),
        ("BitShift", [a([1], U8), a([8], U8)], {"direction": "LEFT"}),
        ("BitShift", [a([1], U8), a([1], U8)], {}),
        ("Add", [a([1.0]), a([1], I32)], {}),
        ("Add", [a([1.0, 2.0]), a([1.0, 2.0, 3.0])], {}),
        ("Add", [a([1.0])], {}),
        ("Sum", [a([1.0]), None], {}),
        ("Sign", [a([NAN])], {}),
        ("Clip", [a([INF])], {}),
        ("PRelu", [a([1.0]), a([1.0, 2.0])], {}),
        ("Cast", [a([NAN])], {"to": 7}),
        ("Cast", [a([3e9])], {"to": 6}),
        ("Cast", [a([-1.0])], {"to": 2}),
        ("Cast", [a([2.0**63])], {"to": 7}),
        ("Cast", [a([1.5])], {"to": 8}),
        ("Cast", [np.array([b"1_0"], object)], {"to": 1}),
        ("Cast", [np.array([b"1.5"], object)], {"to": 7}),
        ("Cast", [a([1.5])], {"to": 99}),
        ("Cast", [a([1.5])], {}),
        ("ArgMax", [a([1.0, NAN])], {}),
        ("ArgMax", [np.zeros((0,), F32)], {}),
        ("ReduceSum", [a([HIGH64, 1], I64)], {}),
        ("ReduceProd", [a([1 << 40, 1 << 40], I64)], {}),
        ("ReduceSumSquare", [a([1 << 20, 1 << 20], I32)], {}),
        ("ReduceMean", [np.zeros((0,), F32)], {}),
        ("ReduceSum", [a([1.0]), a([3], I64)], {}),
        ("ReduceL1", [a([-1.0]), a([], I64)], {"noop_with_empty_axes": 1}),
        ("Softmax", [a([1.0])], {"axis": 4}),
        ("RandomNormal", [], {"shape": [2]}),
        ("Dropout", [a([1.0]), None, np.array(True)], {}),
        ("Gadget", [a([1.0])], {}),
        ("If", [np.array(True)], {}),
    ],
)
def test_what_is_refused(op_type: str, arrays: list[Any], attrs: dict[str, Any]) -> None:
    with pytest.raises(ops.NoKernel):
        run(op_type, *arrays, **attrs)


@pytest.mark.parametrize("dtype", [DType.FLOAT16, DType.BFLOAT16, DType.FLOAT, DType.DOUBLE])
@pytest.mark.parametrize(
    "op_type", ["Exp", "Add", "Mul", "Sigmoid", "Mean", "Gelu", "ReduceSum", "CumSum", "Clip", "Max"]
)
def test_results_have_the_operands_type(op_type: str, dtype: DType) -> None:
    x = np.array([0.5, 1.25, 2.0]).astype(dtype.numpy)
    more = {"Add": [x], "Mul": [x], "Mean": [x], "Max": [x], "CumSum": [a(0, I64)], "Clip": [x[:1].reshape(()), None]}
    assert run(op_type, x, *more.get(op_type, [])).dtype == dtype.numpy


def test_narrow_floats_are_computed_in_float32_and_rounded_once() -> None:
    x = a([0.1, 2.7, 10.3], F16)
    np.testing.assert_array_equal(run("Exp", x), np.exp(x.astype(F32)).astype(F16))


def test_float8_saturates_or_not() -> None:
    x = a([500.0, -1e9, INF, NAN, 447.0])
    highest = convert(x, DType.FLOAT8E4M3FN).astype(F32)
    np.testing.assert_array_equal(highest, [448, -448, 448, NAN, 448])
    np.testing.assert_array_equal(convert(x, DType.FLOAT8E4M3FN, False).astype(F32), [NAN, NAN, NAN, NAN, 448])
    np.testing.assert_array_equal(convert(x, DType.FLOAT8E5M2, False).astype(F32), [512, -INF, INF, NAN, 448])


def test_results_are_arrays_also_of_rank_zero() -> None:
    result = run("Add", a(1.0), a(2.0))
    assert isinstance(result, np.ndarray)
    assert result.shape == ()


def test_onnx_reference_stands_in_where_there_is_no_kernel() -> None:
    """By the operator's own version; strings go there as text and come back as bytes."""
    texts = np.array([b"a,b", b"c"], object)
    assert run("StringConcat", texts, np.array([b"x"], object)).tolist() == [b"a,bx", b"cx"]


def test_cost_is_told_from_types() -> None:
    made = ops.make("Add", [a([1.0, 2.0]), a([[1.0], [2.0]])], opsets={"": 13})
    assert ops.output_bytes(made) is None
    from gopt.analysis import infer_op

    infer_op(made)
    assert ops.output_bytes(made) == 16
    assert ops.work(made) == 8
