"""What sizes certainly lie between: proofs by interval arithmetic, and by replacing atoms by what they are made of.

Every plain symbol is the size of some dimension, and so not negative.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor
from typing import Any

from ..ir import Dim, Symbol
from .symbolic import Atom, Bound, Monomial, Polynomial, Sum, difference, polynomial

_DEEPEST = 6
_MOST_STEPS = 64
"""Expressions that are looked at for one bound."""


def bounds(dim: Dim) -> tuple[Bound, Bound]:
    """The largest number that a size is known never to go below, and the smallest never to go above."""
    if type(dim) is int:
        return dim, dim
    if type(dim) is Atom:
        return dim.low, dim.high
    if type(dim) is not Sum:
        return 0, None
    if dim.bounds is None:
        found = polynomial(dim)
        above = _lower({m: -c for m, c in found.items()}, 0)
        dim.bounds = _whole(_lower(found, 0)), None if above is None else -ceil(above)
    return dim.bounds


def is_size(dim: Dim) -> bool:
    """True if it is certainly not negative."""
    low = bounds(dim)[0]
    return low is not None and low >= 0


def is_at_most(a: Dim, b: Dim) -> bool:
    """True if a <= b is certain."""
    return a is b or is_size(difference(b, a))


def is_different(a: Dim, b: Dim) -> bool:
    """True if a and b are certainly not equal."""
    low, high = bounds(difference(a, b))
    return (low is not None and low > 0) or (high is not None and high < 0)


def is_filled(dim: Dim) -> bool:
    """True if it is certainly at least 1 in every run in which no input is empty."""
    known: dict[Symbol, tuple[Bound, Bound]] = {}

    def of(symbol: Symbol) -> tuple[Bound, Bound]:
        if symbol not in known:
            known[symbol] = _of_filled(symbol, of)
        return known[symbol]

    low = _lower(polynomial(dim), 0, of)
    return low is not None and low > 0


def _whole(bound: Any) -> Bound:
    return None if bound is None else ceil(bound)


_Of = Callable[[Symbol], tuple[Bound, Bound]]
"""Bounds of a symbol."""


def _of_symbol(symbol: Symbol) -> tuple[Bound, Bound]:
    return (symbol.low, symbol.high) if type(symbol) is Atom else (0, None)


def _of_filled(symbol: Symbol, of: _Of) -> tuple[Bound, Bound]:
    """Bounds in runs in which no input is empty, from those of other symbols."""
    if type(symbol) is not Atom:
        return symbol.least, None
    lows = [_lower(polynomial(a), 1, of) for a in symbol.args]
    low: Any = symbol.low
    if lows and None not in lows:
        if symbol.kind in ("min", "max"):
            low = min(lows) if symbol.kind == "min" else max(lows)
        elif symbol.kind in ("floordiv", "div") and type(symbol.args[1]) is int:
            low = Fraction(lows[0]) / symbol.args[1]
            low = floor(low) if symbol.kind == "floordiv" else low
        elif symbol.kind == "broadcast":
            low = min(lows)
    return (None if low is None else ceil(low)), symbol.high


def _lower(found: Polynomial, depth: int, of: _Of = _of_symbol, steps: list[int] | None = None) -> Any:
    """A lower bound of an expression with rational coefficients; None if none was found."""
    best = _interval(found, of)
    steps = [0] if steps is None else steps
    steps[0] += 1
    if depth == _DEEPEST or steps[0] > _MOST_STEPS:
        return best
    for monomial, c in found.items():
        if len(monomial) != 1 or type(monomial[0]) is not Atom:
            continue
        for other in _replaced(found, monomial, monomial[0], c):
            bound = _lower(other, depth + 1, of, steps)
            if bound is not None and (best is None or bound > best):
                best = bound
        break  # the others come up further down
    return best


def _interval(found: Polynomial, of: _Of) -> Any:
    low: Any = 0
    for monomial, c in found.items():
        bound = _of_product(monomial, c > 0, of)
        if bound is None:
            return None
        low += c * bound
    return low


def _of_product(monomial: Monomial, low: bool, of: _Of) -> Bound:
    """A bound of a product, None if there is none; products of what may be negative are not looked into."""
    result = 1
    for symbol in monomial:
        least, most = of(symbol)
        if len(monomial) > 1 and (least is None or least < 0):
            return None
        bound = least if low else most
        if bound is None:
            return None
        result *= bound
    return result


def _replaced(found: Polynomial, monomial: Monomial, atom: Atom, c: Any) -> list[Polynomial]:
    """Expressions that are at most as large, in which an atom gave way to what it is made of."""
    rest = {m: d for m, d in found.items() if m != monomial}
    if atom.kind in ("floordiv", "div") and type(atom.args[1]) is int:
        # floordiv(p, d) = (p - r) / d with 0 <= r < d
        divisor = atom.args[1]
        slack = divisor - 1 if atom.kind == "floordiv" and c > 0 else 0
        return [_plus(rest, atom.args[0], Fraction(c) / divisor, -Fraction(c) / divisor * slack)]
    if (atom.kind == "min" and c < 0) or (atom.kind == "max" and c > 0):
        return [_plus(rest, argument, c, 0) for argument in atom.args]
    return []


def _plus(found: Polynomial, dim: Dim, factor: Any, constant: Any) -> Polynomial:
    result = dict(found)
    for monomial, c in polynomial(dim).items():
        result[monomial] = result.get(monomial, 0) + factor * c
    result[()] = result.get((), 0) + constant
    return {m: c for m, c in result.items() if c}
