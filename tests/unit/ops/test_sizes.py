"""Arithmetic on sizes: a normal form, and numbers that agree with plain arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gopt.ir import Dim, Symbol
from gopt.ops.bounds import bounds, is_at_most, is_different
from gopt.ops.shapes import broadcast_dims
from gopt.ops.sizes import (
    as_size,
    ceil_div,
    difference,
    floor_div,
    maximum,
    merge,
    minimum,
    modulo,
    product,
    quotient,
    scaled_by,
    shifted,
    total,
    truncated_div,
    windows,
)
from gopt.ops.symbolic import value_at


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
    assert windows(n, 5, 1, 0, 1) is as_size(shifted(n, -4))
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


# -- symbolic results agree with plain arithmetic, whatever the values of the symbols --------------------------------

SYMBOLS = (Symbol("a"), Symbol("b"), Symbol("c"))
Pair = tuple[Dim, int]


def _grown(pairs: st.SearchStrategy[Pair], values: tuple[int, ...]) -> st.SearchStrategy[Pair]:
    two, number = st.tuples(pairs, pairs), st.integers(1, 12)
    return st.one_of(
        two.map(lambda p: (total((p[0][0], p[1][0])), p[0][1] + p[1][1])),
        two.map(lambda p: (difference(p[0][0], p[1][0]), p[0][1] - p[1][1])),
        two.map(lambda p: (product((p[0][0], p[1][0])), p[0][1] * p[1][1])),
        two.map(lambda p: (minimum(p[0][0], p[1][0]), min(p[0][1], p[1][1]))),
        two.map(lambda p: (maximum(p[0][0], p[1][0]), max(p[0][1], p[1][1]))),
        two.map(lambda p: _whole_quotient(p[0], p[1])),
        st.tuples(pairs, st.integers(-6, 6)).map(lambda p: (shifted(p[0][0], p[1]), p[0][1] + p[1])),
        st.tuples(pairs, st.integers(-6, 6)).map(lambda p: (scaled_by(p[0][0], p[1]), p[0][1] * p[1])),
        st.tuples(pairs, number).map(lambda p: (floor_div(p[0][0], p[1]), p[0][1] // p[1])),
        st.tuples(pairs, number).map(lambda p: (ceil_div(p[0][0], p[1]), -(-p[0][1] // p[1]))),
        st.tuples(pairs, number).map(lambda p: (modulo(p[0][0], p[1]) or 0, p[0][1] % p[1])),
        st.tuples(pairs, st.integers(-9, 9)).map(lambda p: _truncated(p[0], p[1])),
        pairs.map(lambda p: (as_size(p[0]), max(p[1], 0))),
    )


def _whole_quotient(whole: Pair, divisor: Pair) -> Pair:
    """A product divided by one of its factors."""
    if divisor[1] == 0 or divisor[0] == 0:
        return whole
    return quotient(product((whole[0], divisor[0])), divisor[0]), whole[1]


def _truncated(pair: Pair, divisor: int) -> Pair:
    found = truncated_div(pair[0], divisor)
    return pair if found is None else (found, int(pair[1] / divisor))


def _expressions(values: tuple[int, ...]) -> st.SearchStrategy[Pair]:
    leaves = st.one_of(st.integers(-9, 9).map(lambda n: (n, n)), st.sampled_from([*zip(SYMBOLS, values, strict=True)]))
    return st.recursive(leaves, lambda pairs: _grown(pairs, values), max_leaves=8)


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 40)] * 3).flatmap(lambda v: st.tuples(st.just(v), _expressions(v), _expressions(v))))
def test_symbolic_arithmetic_agrees_with_numbers(drawn: tuple[tuple[int, ...], Pair, Pair]) -> None:
    values, first, second = drawn
    sizes = dict(zip(SYMBOLS, values, strict=True))
    for dim, number in (first, second):
        assert value_at(dim, sizes) == number, repr(dim)
        low, high = bounds(dim)
        assert low is None or low <= number, repr(dim)
        assert high is None or number <= high, repr(dim)
    (a, m), (b, n) = first, second
    assert a is not b or m == n
    assert m <= n or not is_at_most(a, b)
    assert m != n or not is_different(a, b)


def test_rounded_quotients_have_a_normal_form() -> None:
    n = Symbol("n")
    assert ceil_div(n, 8) is floor_div(shifted(n, 7), 8)
    assert scaled_by(floor_div(scaled_by(n, -1), 8), -1) is ceil_div(n, 8)
    assert floor_div(floor_div(n, 2), 3) is floor_div(n, 6)
    assert floor_div(total((scaled_by(n, 16), 5)), 8) is scaled_by(n, 2)
    assert floor_div(scaled_by(n, 6), 4) is floor_div(scaled_by(n, 3), 2)
    # What is padded to a multiple is the multiple.
    assert total((n, modulo(scaled_by(n, -1), 32) or 0)) is scaled_by(ceil_div(n, 32), 32)


def test_what_can_be_proved_of_sizes() -> None:
    n, m = Symbol("n"), Symbol("m")
    assert bounds(modulo(n, 8) or 0) == (0, 7)
    assert is_at_most(floor_div(n, 2), n)
    assert is_at_most(minimum(n, m), m)
    assert is_at_most(difference(n, minimum(n, 5)), n)
    assert not is_at_most(n, product((n, m)))
    assert minimum(n, scaled_by(n, 2)) is n
    assert is_different(shifted(n, 3), n)
    assert not is_different(n, m)
    assert as_size(difference(n, minimum(n, m))) is difference(n, minimum(n, m))


def test_broadcast_symbols() -> None:
    n, m = Symbol("n"), Symbol("m")
    first = broadcast_dims(n, m)
    assert first not in (n, m)
    assert broadcast_dims(m, n) == first == broadcast_dims(n, first) == broadcast_dims(first, m)
    assert broadcast_dims(n, minimum(n, 512)) == n == broadcast_dims(minimum(512, n), n)
    assert broadcast_dims(m, broadcast_dims(n, minimum(n, 2))) == first
    assert broadcast_dims(n, minimum(n, 1)) != n  # n elements, or one beside them
    assert broadcast_dims(n, minimum(n, m)) != n  # m may be 1
    assert broadcast_dims(n, minimum(n, total((m, 2)))) == n
    assert broadcast_dims(n, total((m, 2))) == total((m, 2))
    assert broadcast_dims(n, total((m, 1))) not in (n, total((m, 1)))
