"""Matrix products."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gopt import ops
from gopt.ir import DType, Symbol, TensorType
from gopt.ops.matmul import parse_equation

from .making import F32, I32, U8, compute, make, results, shape_of, typed, types, unknown

N, M = Symbol("n"), Symbol("m")
A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_matmul_sizes() -> None:
    assert shape_of(make("MatMul", typed(N, 3), typed(3, M))) == (N, M)
    assert shape_of(make("MatMul", typed(3), typed(3, M))) == (M,)
    assert shape_of(make("MatMul", typed(N, 3), typed(3))) == (N,)
    assert shape_of(make("MatMul", typed(3), typed(3))) == ()
    assert shape_of(make("MatMul", typed(N, 5, 2, 3), typed(5, 3, 4))) == (N, 5, 2, 4)
    assert shape_of(make("MatMul", typed(N, 2, 3), typed(N, 3, 4))) == (N, 2, 4)
    assert unknown(shape_of(make("MatMul", typed(N, 2, 3), typed(M, 3, 4)))) == [True, False, False]
    assert types(make("MatMul", typed(2, 3), typed(4, 5))) == [None]
    assert types(make("MatMul", typed(), typed(4))) == [None]
    assert types(make("MatMul", typed(2, 3), ...)) == [TensorType(F32)]


small = st.integers(0, 3)


@given(st.lists(small, max_size=2), st.lists(small, max_size=2), small, small, small, st.booleans(), st.booleans())
def test_matmul_has_the_shape_that_numpy_gives(
    lead_a: list[int], lead_b: list[int], rows: int, inner: int, columns: int, vector_a: bool, vector_b: bool
) -> None:
    a = (inner,) if vector_a else (*lead_a, rows, inner)
    b = (inner,) if vector_b else (*lead_b, inner, columns)
    try:
        expected = np.matmul(np.zeros(a), np.zeros(b)).shape
    except ValueError:
        assert types(make("MatMul", typed(*a), typed(*b))) == [None]
        return
    assert shape_of(make("MatMul", typed(*a), typed(*b))) == expected


def test_matmul_of_half_precision_is_summed_in_single() -> None:
    ones = np.full((1, 4096), 1, np.float16)
    assert compute(make("MatMul", ones, ones.T)).item() == 4096
    assert compute(make("MatMul", ones, ones.T)).dtype == np.float16


def test_gemm() -> None:
    c = np.ones(4, np.float32)
    assert np.array_equal(compute(make("Gemm", A, B)), A @ B)
    assert np.array_equal(compute(make("Gemm", A, B, c, alpha=0.5, beta=2.0)), 0.5 * (A @ B) + 2)
    assert np.array_equal(compute(make("Gemm", A.T.copy(), B.T.copy(), transA=1, transB=1)), A @ B)
    # A bias that is not read must not turn the result into NaN.
    assert np.array_equal(compute(make("Gemm", A, B, c * np.nan, beta=0.0)), A @ B)
    ints = [x.astype(np.int32) for x in (A, B)]
    assert compute(make("Gemm", *ints, alpha=2.0)).dtype == np.int32
    with pytest.raises(ops.NoKernel):
        results(make("Gemm", *ints, alpha=0.5))
    assert shape_of(make("Gemm", typed(3, N), typed(M, 3), transA=1, transB=1)) == (N, M)
    assert unknown(shape_of(make("Gemm", typed(N, 3), ...))) == [True, True]
    assert types(make("Gemm", typed(1, 2, 3), typed(3, 4))) == [None]


def test_integer_products() -> None:
    a, b = A.astype(np.uint8), B.astype(np.uint8)
    found = compute(make("MatMulInteger", a, b, np.array(1, np.uint8), np.array(2, np.uint8)))
    assert np.array_equal(found, (A.astype(int) - 1) @ (B.astype(int) - 2))
    rows = np.array([1, 2], np.uint8)
    found = compute(make("MatMulInteger", a, b, rows))
    assert np.array_equal(found, (A.astype(int) - rows[:, None]) @ B.astype(int))
    assert types(make("MatMulInteger", typed(N, 3, dtype=U8), typed(3, 4, dtype=U8))) == [typed(N, 4, dtype=I32)]
    zero = typed(dtype=DType.INT8)
    operands = (typed(N, 3, dtype=U8), typed(), zero, typed(3, M, dtype=U8), typed(), zero, typed(), zero)
    assert types(make("QLinearMatMul", *operands)) == [typed(N, M, dtype=DType.INT8)]


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("ii->i", [(3, 3)]),
        ("...ij->...ji", [(2, 3, 4, 5)]),
        ("b...i, bj -> b...j", [(2, 3, 4), (2, 5)]),
        ("i->", [(4,)]),
        ("zb,za", [(3, 2), (3, 4)]),
        ("...a,...a", [(2, 1, 3), (4, 3)]),
        (",ij->ij", [(), (2, 3)]),
    ],
)
def test_einsum(equation: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [np.arange(np.prod(s), dtype=np.float32).reshape(s) for s in shapes]
    op = make("Einsum", *arrays, equation=equation)
    assert np.array_equal(compute(op), np.einsum(equation, *arrays))
    assert shape_of(op) == np.einsum(equation, *arrays).shape


def test_einsum_of_symbols() -> None:
    assert shape_of(make("Einsum", typed(N, 3, 4), typed(N, 4, M), equation="bij,bjk->bik")) == (N, 3, M)
    # A size of 1 is broadcast against one that is not known.
    assert shape_of(make("Einsum", typed(1, 3), typed(N, 3), equation="ij,ij->i")) == (N,)
    assert shape_of(make("Einsum", ..., typed(N, 3), equation="ij,jk->ik"))[1] == 3  # type: ignore[index]
    assert types(make("Einsum", typed(2, 3), equation="ijk->i")) == [None]
    assert types(make("Einsum", typed(2, 3), equation="ij,jk->ik")) == [None]


def test_implicit_results_of_equations() -> None:
    assert parse_equation("bc,ab") == (["bc", "ab"], "ac")
    assert parse_equation("...i,i j") == (["...i", "ij"], "...j")


def test_det() -> None:
    assert shape_of(make("Det", typed(N, 3, 3))) == (N,)
    assert np.allclose(compute(make("Det", np.diag([2.0, 3.0]))), 6)


def test_work_is_told_before_it_is_done() -> None:
    for op in (
        make("MatMul", np.zeros((10, 20)), np.zeros((20, 30))),
        make("Gemm", np.zeros((10, 20)), np.zeros((20, 30))),
        make("Einsum", np.zeros((10, 20)), np.zeros((20, 30)), equation="ij,jk->ik"),
    ):
        types(op)
        known = ops.opdef(op)
        assert known is not None
        assert known.work is not None
        assert known.work(op) == 10 * 20 * 30
