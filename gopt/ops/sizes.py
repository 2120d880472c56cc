"""Sizes computed from sizes: quotients, extremes and windows of symbolic dims.

Arithmetic on symbols gives symbols again. The same arithmetic on the same symbols gives the same symbol, so that two
branches that go through equal convolutions are still known to have equal sizes.
"""

from __future__ import annotations

from math import gcd

from ..ir import Dim, Symbol
from .bounds import bounds, is_at_most, is_size
from .symbolic import (
    Atom,
    Polynomial,
    Sum,
    by_number,
    derive,
    difference,
    dim_of,
    exact_quotient,
    polynomial,
    product,
    scaled_by,
    shifted,
    total,
)

__all__ = [
    "as_size",
    "ceil_div",
    "derive",
    "difference",
    "floor_div",
    "maximum",
    "merge",
    "minimum",
    "modulo",
    "product",
    "quotient",
    "scaled_by",
    "shifted",
    "total",
    "truncated_div",
    "windows",
]


def quotient(dividend: Dim, divisor: Dim) -> Dim:
    """The quotient of sizes that is known to be whole.

    Raises:
        ValueError: the numbers say that it is not, or the divisor is 0.
    """
    if divisor == 0:
        raise ValueError("division by a size of 0")
    found = exact_quotient(dividend, divisor)
    if found is not None:
        return found
    if type(dividend) is int and type(divisor) is int:
        raise ValueError(f"{dividend} is not a multiple of {divisor}")
    common = gcd(_content(dividend), _content(divisor))
    if common > 1:
        dividend, divisor = _divided(dividend, common), _divided(divisor, common)
    for symbol in _common_symbols(dividend, divisor):
        dividend, divisor = _divided(dividend, symbol), _divided(divisor, symbol)
    return derive("div", dividend, divisor)


def _content(dim: Dim) -> int:
    """The greatest number that divides all coefficients."""
    return gcd(*polynomial(dim).values())


def _divided(dim: Dim, by: Dim) -> Dim:
    found = exact_quotient(dim, by)
    assert found is not None
    return found


def _common_symbols(a: Dim, b: Dim) -> list[Symbol]:
    """Symbols that divide both, with repetitions."""
    monomials = [*polynomial(a), *polynomial(b)]
    common = list(monomials[0])
    for monomial in monomials[1:]:
        rest = list(monomial)
        common = [s for s in common if s in rest and not rest.remove(s)]  # type: ignore[func-returns-value]
    return common


def floor_div(dividend: Dim, divisor: Dim) -> Dim:
    """A quotient rounded down; a symbolic divisor is taken for positive, as a division by it would fail else.

    Raises:
        ValueError: the divisor is a number below 1.
    """
    if type(divisor) is int:
        if divisor < 1:
            raise ValueError(f"rounding a quotient by {divisor}")
        if type(dividend) is int:
            return dividend // divisor
        return dividend if divisor == 1 else _rounded_down(dividend, divisor)
    found = exact_quotient(dividend, divisor)
    if found is not None:
        return found
    both = is_size(dividend) and is_size(divisor)
    return derive("floordiv", dividend, divisor, low=0 if both else None, high=bounds(dividend)[1] if both else None)


def _rounded_down(dividend: Dim, divisor: int) -> Dim:
    """floor(p / d): multiples of d leave it, the first coefficient left is positive, common factors go."""
    whole: Polynomial = {}
    left: Polynomial = {}
    for monomial, c in polynomial(dividend).items():
        # Symbols keep the sign of their coefficient, so that n - n/4 does not become 3n/4.
        rest = c % divisor if monomial == () or c > 0 else -(-c % divisor)
        if rest:
            left[monomial] = rest
        if c != rest:
            whole[monomial] = (c - rest) // divisor
    constant = left.pop((), 0)
    if not left:
        return dim_of(whole)
    part, sign = dim_of(dict(left)), 1
    if next(iter(polynomial(part).values())) < 0:  # floor(-p / d) = -floor((p + d - 1) / d)
        part, sign, constant = scaled_by(part, -1), -1, divisor - 1 - constant
        whole[()] = whole.get((), 0) - constant // divisor
        constant %= divisor
    common = gcd(divisor, _content(part))
    if common > 1:
        part, divisor, constant = _divided(part, common), divisor // common, constant // common
    if divisor == 1:
        return total((dim_of(whole), scaled_by(shifted(part, constant), sign)))
    return total((dim_of(whole), scaled_by(_floor_atom(part, constant, divisor), sign)))


def _floor_atom(part: Dim, constant: int, divisor: int) -> Dim:
    if type(part) is Atom and part.kind == "floordiv" and type(part.args[1]) is int:
        # floor((floor(p / a) + c) / b) = floor((p + a c) / (a b))
        inner, by = part.args[0], part.args[1]
        return floor_div(shifted(inner, by * constant), by * divisor)
    dividend = shifted(part, constant)
    low, high = (None if b is None else b // divisor for b in bounds(dividend))
    if low is not None and low == high:
        return low
    return derive("floordiv", dividend, divisor, low=low, high=high)


def ceil_div(dividend: Dim, divisor: int) -> Dim:
    """A quotient by a positive number, rounded up."""
    if type(dividend) is int:
        return -(-dividend // divisor)
    return floor_div(shifted(dividend, divisor - 1), divisor)


def truncated_div(dividend: Dim, divisor: Dim) -> Dim | None:
    """A quotient rounded towards zero, as integer Div has it; None if its sign is not known, or for a division by 0."""
    if type(divisor) is int:
        if divisor == 0:
            return None
        if type(dividend) is int:
            return abs(dividend) // abs(divisor) * (1 if (dividend < 0) == (divisor < 0) else -1)
        if divisor < 0:
            found = truncated_div(dividend, -divisor)
            return None if found is None else scaled_by(found, -1)
    if is_size(dividend) and is_size(divisor):
        return floor_div(dividend, divisor)
    return exact_quotient(dividend, divisor)


def modulo(dividend: Dim, divisor: int) -> Dim | None:
    """The rest of a rounded-down quotient by a positive number; None for other divisors."""
    return None if divisor < 1 else difference(dividend, scaled_by(floor_div(dividend, divisor), divisor))


def minimum(a: Dim, b: Dim) -> Dim:
    """The smaller one of two sizes."""
    return _extreme("min", a, b)


def maximum(a: Dim, b: Dim) -> Dim:
    """The larger one of two sizes."""
    return _extreme("max", a, b)


def _extreme(kind: str, a: Dim, b: Dim) -> Dim:
    smallest = kind == "min"
    if is_at_most(a, b):
        return a if smallest else b
    if is_at_most(b, a):
        return b if smallest else a
    parts: dict[Dim, None] = {}
    for dim in (a, b):
        parts.update(dict.fromkeys(dim.args if type(dim) is Atom and dim.kind == kind else (dim,)))
    number = [d for d in parts if type(d) is int]
    kept: list[Dim] = [min(number) if smallest else max(number)] if number else []
    kept += sorted([d for d in parts if isinstance(d, Symbol)], key=by_number)
    lows, highs = zip(*map(bounds, kept))
    choose = min if smallest else max
    sure = [x for x in (highs if smallest else lows) if x is not None]
    other = lows if smallest else highs
    bound = None if None in other else choose(x for x in other if x is not None)
    found = choose(sure) if sure else None
    return derive(kind, *kept, low=bound if smallest else found, high=found if smallest else bound)


def as_size(dim: Dim) -> Dim:
    """An expression as the size of a dimension: at least 0."""
    return dim if is_size(dim) else maximum(dim, 0)


def windows(size: Dim, kernel: int, stride: int, padding: int, dilation: int) -> Dim:
    """How many windows fit: floor((size + padding - dilated kernel) / stride) + 1 (ONNX, Conv and the pools)."""
    shift = padding - (kernel - 1) * dilation - 1
    if type(size) is int:
        return max((size + shift) // stride + 1, 0)
    return as_size(shifted(floor_div(shifted(size, shift), stride), 1))


def merge(a: Dim, b: Dim) -> Dim:
    """One of two sizes that must be equal: a number rather than a symbol, a plain symbol rather than a derived one.

    Raises:
        ValueError: they are different numbers.
    """
    if type(a) is int:
        if type(b) is int and a != b:
            raise ValueError(f"sizes {a} and {b} differ")
        return a
    if type(b) is int:
        return b
    return b if isinstance(a, (Atom, Sum)) and type(b) is Symbol else a
