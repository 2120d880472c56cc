"""Rules of `fuse.einsum`."""

from __future__ import annotations

from typing import Any

import pytest

SHAPES = {"a": "N", "b": "2", "i": "3", "j": "4", "k": "5", "l": "6"}

CASES = {
    "ij->ji": ["Transpose"],
    "bij -> jib": ["Transpose"],
    "ba": ["Transpose"],
    "bij,bij->bij": ["Mul"],
    "bij,ij->bij": ["Mul"],
    "j,bij->bij": ["Mul"],
    "bij->bi": ["ReduceSum"],
    "bij->": ["ReduceSum"],
    "aij,ajk->aik": ["MatMul"],
    "abij,abjk->abik": ["MatMul"],
    "ij,jk": ["MatMul"],
    "abj,jk->abk": ["MatMul"],
    "j,jk->k": ["MatMul"],
    "ij,j->i": ["MatMul"],
    "i,i->": ["MatMul"],
    "jk,ij->ik": ["MatMul"],
    "ij,kj->ik": ["Gemm"],
    "ji,jk->ik": ["Gemm"],
    "ji,kj->ki": ["MatMul"],
    "ij,kj->ki": ["Gemm"],
    # What takes two ops, or none of these.
    "aij,akj->aik": ["Einsum"],
    "aij,ajk->aki": ["Einsum"],
    "i,j->ij": ["Einsum"],
    "bij,bij->bi": ["Einsum"],
    "bij->ji": ["Einsum"],
    "ij,bij->bji": ["Einsum"],
    "bi,bj->bij": ["Einsum"],
    "ij,jk,kl->il": ["Einsum"],
    "...ij,...jk->...ik": ["Einsum"],
    "aij,jkl->aikl": ["Einsum"],
    "ak,abk->ab": ["Einsum"],
}


@pytest.mark.parametrize("equation", CASES)
def test_equations(fuse: Any, equation: str) -> None:
    terms = equation.replace(" ", "").split("->")[0].split(",")
    names = [f"x{n}" for n in range(len(terms))]
    inputs = ", ".join(
        f"float[{','.join(SHAPES[c] for c in t.replace('...', 'ab'))}] {n}" for n, t in zip(names, terms)
    )
    done = fuse(f'({inputs}) => (float y) {{ y = Einsum<equation = "{equation}">({", ".join(names)}) }}', "fuse.einsum")
    assert done.ops == CASES[equation]


def test_a_constant_is_transposed(fuse: Any) -> None:
    text = '(float[N,2,3] x) => (float y) { y = Einsum<equation = "abj,kj->abk">(x, w) }'
    assert fuse(text, "fuse.einsum", w=(4, 3)).ops == ["MatMul"]


def test_integers_have_no_gemm(fuse: Any) -> None:
    text = '(int64[2,3] x, int64[4,3] z) => (int64 y) { y = Einsum<equation = "ij,kj->ik">(x, z) }'
    assert fuse(text, "fuse.einsum").ops == ["Einsum"]


def test_a_sum_over_a_dim_of_1_and_a_larger_one_stays(fuse: Any) -> None:
    text = '(float[2,1] x, float[M,4] z) => (float y) { y = Einsum<equation = "ij,jk->ik">(x, z) }'
    assert fuse(text, "fuse.einsum").ops == ["Einsum"]
