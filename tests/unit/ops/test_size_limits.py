"""Expressions over sizes stay small, whatever a model computes, and claim nothing wrong when they give up."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from gopt.analysis.joins import outward
from gopt.ir import Dim, DType, Symbol, TensorType
from gopt.ops.bounds import bounds, is_filled, is_size
from gopt.ops.sizes import difference, floor_div, maximum, minimum, product, shifted, total
from gopt.ops.symbolic import value_at

Step = Callable[[Dim, Symbol, Symbol, int], Dim]

STEPS: dict[str, Step] = {
    "squares": lambda v, n, m, k: product((v, v)),
    "products of sums": lambda v, n, m, k: product((v, total((v, n, m)))),
    "extremes": lambda v, n, m, k: maximum(total((minimum(v, m), n)), v),
    "wide extremes": lambda v, n, m, k: maximum(v, difference(product((n, k + 2)), m)),
    "quotients": lambda v, n, m, k: floor_div(total((product((v, 3)), m)), 7),
    "symbolic quotients": lambda v, n, m, k: floor_div(total((product((v, m)), v)), total((v, n))),
    "huge factors": lambda v, n, m, k: product((v, 1 << 62)),
}


def chain(step: Step, length: int) -> tuple[Dim, Symbol, Symbol]:
    """Many times the same step, from two symbols."""
    n, m = Symbol(), Symbol()
    value: Dim = total((n, m))
    for k in range(length):
        value = step(value, n, m, k)
    return value, n, m


@pytest.mark.parametrize("name", STEPS)
def test_long_chains_end_quickly(name: str) -> None:
    start = time.process_time()
    value, n, m = chain(STEPS[name], 400)
    assert bounds(value)[0] == 0 or not is_size(value)
    is_filled(value)
    assert len(repr(value)) < 10_000
    assert isinstance(outward(TensorType(DType.FLOAT, (value,)), frozenset({n, m})), TensorType)
    assert time.process_time() - start < 3


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("length", [1, 3, 6, 12])
def test_what_is_still_known_is_right(name: str, length: int) -> None:
    value, n, m = chain(STEPS[name], length)
    for sizes in ({n: 1, m: 1}, {n: 2, m: 5}, {n: 9, m: 0}):
        expected: Dim = sizes[n] + sizes[m]
        for k in range(length):
            expected = STEPS[name](expected, sizes[n], sizes[m], k)  # type: ignore[arg-type]  # numbers count alike
        assert isinstance(expected, int)
        low, high = bounds(value)
        assert low is None or low <= expected
        assert high is None or expected <= high
        try:
            assert value_at(value, sizes) == expected
        except KeyError:
            assert length >= 3  # it became too large, and nothing is claimed of it


def test_too_large_a_difference_is_not_taken_for_a_size() -> None:
    pairs = [(Symbol(), Symbol()) for _ in range(80)]
    found = total([difference(product((a, a)), product((b, b))) for a, b in pairs])
    assert not is_size(found)
    squares = total([product((a, a)) for a, _ in pairs])
    assert is_size(squares)
    longer = difference(Symbol(), Symbol())
    for _ in range(6):
        longer = product((longer, shifted(difference(Symbol(), Symbol()), 1)))
    assert not is_size(longer)


def test_equal_chains_have_equal_sizes_even_when_too_large() -> None:
    n, m = Symbol(), Symbol()
    for step in STEPS.values():
        ends: list[Dim] = []
        for _ in range(2):
            value: Dim = total((n, m))
            for k in range(100):
                value = step(value, n, m, k)
            ends.append(value)
        assert ends[0] is ends[1]
