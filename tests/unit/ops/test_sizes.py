"""Arithmetic on sizes: a normal form, and numbers that agree with plain arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gopt.ir import Symbol
from gopt.ops.sizes import floor_div, merge, product, quotient, shifted, total, windows


def test_equal_products_are_the_same_symbol() -> None:
    n, m = Symbol("n"), Symbol("m")
    assert product((n, 3, m)) is product((3, product((m, n))))
    assert product((n, 1)) is n
    assert product((n, 0, m)) == 0
    assert product((2, 3, 4)) == 24
    assert product(()) == 1


def test_equal_sums_are_the_same_symbol() -> None:
    n, m = Symbol("n"), Symbol("m")
    assert total((n, 2, m, -1)) is total((m, total((1, n))))
    assert total((total((n, 3)), -3)) is n
    assert shifted(shifted(n, 2), -2) is n
    assert shifted(n, 0) is n
    assert total((2, -5)) == -3


def test_different_arithmetic_gives_different_symbols() -> None:
    n, m = Symbol("n"), Symbol("m")
    assert product((n, n)) is not n
    assert total((n, n)) is not product((n, n))
    assert total((n, 1)) is not total((m, 1))
    assert windows(n, 3, 2, 0, 1) is not windows(n, 3, 2, 1, 1)


def test_whole_quotients_cancel() -> None:
    n, m = Symbol("n"), Symbol("m")
    assert quotient(product((n, 12, m)), product((4, n))) is product((3, m))
    assert quotient(product((n, m)), m) is n
    assert quotient(24, 6) == 4
    assert quotient(product((n, 3)), 2) is quotient(product((3, n)), 2)
    with pytest.raises(ValueError):
        quotient(7, 2)
    with pytest.raises(ValueError):
        quotient(n, 0)


def test_windows_of_a_symbol_have_a_normal_form() -> None:
    n = Symbol("n")
    assert windows(n, 3, 1, 2, 1) is n
    assert windows(n, 3, 2, 2, 1) is windows(n, 1, 2, 0, 1)
    assert windows(n, 5, 1, 0, 1) is shifted(n, -4)
    assert windows(n, 2, 2, 0, 1) is shifted(floor_div(shifted(n, -2), 2), 1)


def test_division_of_a_multiple_is_exact() -> None:
    n = Symbol("n")
    assert floor_div(product((n, 6)), 3) is product((n, 2))
    assert floor_div(n, 1) is n
    assert floor_div(7, 2) == 3


def test_merge_prefers_numbers() -> None:
    n = Symbol("n")
    assert merge(n, 4) == 4
    assert merge(4, n) == 4
    assert merge(n, Symbol()) is n
    with pytest.raises(ValueError):
        merge(3, 4)


@given(st.integers(0, 40), st.integers(1, 7), st.integers(1, 4), st.integers(0, 6), st.integers(1, 3))
def test_windows_are_counted_right(size: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    reach = (kernel - 1) * dilation + 1
    fitting = sum(1 for start in range(0, size + padding, stride) if start + reach <= size + padding)
    assert windows(size, kernel, stride, padding, dilation) == fitting
