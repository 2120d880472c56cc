"""Integer expressions over sizes, in a normal form: sums of products of symbols with integer coefficients.

What is no sum or product (a rounded quotient, a minimum, ...) is an `Atom`: a symbol that remembers what it is made of.
Equal expressions in normal form are one object, so that "is" tells what is known to be equal.

Expressions stay small: one with too many terms, factors, digits or arguments, or made of too many others one inside the
other, becomes an atom that has forgotten what it is made of. No model makes a walk over an expression long or deep.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from math import gcd
from typing import Any

from ..ir import Dim, Symbol

Monomial = tuple[Symbol, ...]
"""A product of symbols, sorted, with repetitions; () is 1."""

Polynomial = dict[Monomial, Any]
"""Coefficients of monomials: integers, in proofs fractions too. None of them is 0."""

Bound = int | None
"""A number that a size never goes below (or above); None if there is none."""


class Atom(Symbol):
    """A function of other sizes that is opaque to sums and products.

    Attributes:
        kind: the function.
        args: its arguments; with `kind` they determine it.
        low: what it never goes below.
        high: what it never goes above.
        depth: atoms one inside the other.
    """

    __slots__ = ("args", "depth", "high", "kind", "low")

    def __init__(self, kind: str, args: tuple[Dim, ...], low: Bound, high: Bound) -> None:
        super().__init__()
        self.kind = kind
        self.args = args
        self.low = low
        self.high = high
        self.depth = 1 + max(map(_depth, args), default=0)

    def __repr__(self) -> str:
        if self.depth > _MOST_SHOWN:
            return f"{self.kind}(...)"
        return f"{self.kind}({', '.join(map(repr, self.args))})"


class Sum(Symbol):
    """A sum of at least two terms, or one term that is not a lone symbol.

    Attributes:
        constant: the term without symbols.
        terms: monomials and their coefficients, sorted.
        bounds: what it never goes below and above, once that was asked for (`gopt.ops.bounds`).
    """

    __slots__ = ("bounds", "constant", "terms")

    def __init__(self, constant: int, terms: tuple[tuple[Monomial, int], ...]) -> None:
        super().__init__()
        self.constant = constant
        self.terms = terms
        self.bounds: tuple[Bound, Bound] | None = None

    @property
    def args(self) -> tuple[Symbol, ...]:
        """The symbols of all terms."""
        return tuple(dict.fromkeys(s for monomial, _ in self.terms for s in monomial))

    def __repr__(self) -> str:
        parts = ["*".join([*([str(c)] if c != 1 else []), *map(repr, monomial)]) for monomial, c in self.terms]
        return "+".join([*parts, *([str(self.constant)] if self.constant else [])]).replace("+-", "-")


_MOST_TERMS = 64
_MOST_FACTORS = 16
_MOST_BITS = 128
_MOST_ARGUMENTS = 16
_MOST_DEPTH = 64
_MOST_SHOWN = 5


def _depth(dim: Dim) -> int:
    if type(dim) is Atom:
        return dim.depth
    if type(dim) is Sum:
        return max(s.depth if type(s) is Atom else 0 for monomial, _ in dim.terms for s in monomial)
    return 0


# Bounded so that a process that loads many models does not grow. A symbol that fell out is made anew, which loses an
# equality but claims nothing wrong.
@lru_cache(maxsize=1 << 16)
def derive(kind: str, *args: Dim, low: Bound = 0, high: Bound = None) -> Symbol:
    """The symbol for a function of sizes; `kind` and `args` must determine the function."""
    if len(args) > _MOST_ARGUMENTS or max(map(_depth, args), default=0) >= _MOST_DEPTH:
        args = ()
    return Atom(kind if args else "opaque", args, low, high)


@lru_cache(maxsize=1 << 16)
def _opaque(key: Hashable, low: Bound) -> Symbol:
    """An expression that became too large, which `key` determines."""
    return Atom("opaque", (), low, None)


@lru_cache(maxsize=1 << 16)
def _sum(constant: int, terms: tuple[tuple[Monomial, int], ...]) -> Sum:
    return Sum(constant, terms)


def polynomial(dim: Dim) -> Polynomial:
    """Coefficients of a size; a dict of its own."""
    if type(dim) is int:
        return {(): dim} if dim else {}
    if type(dim) is Sum:
        found: Polynomial = dict(dim.terms)
        if dim.constant:
            found[()] = dim.constant
        return found
    return {(dim,): 1}  # type: ignore[dict-item]  # a symbol


def dim_of(found: Polynomial) -> Dim:
    """The size with these integer coefficients (zeros among them are left out)."""
    constant = found.pop((), 0)
    terms = [(m, c) for m, c in found.items() if c]
    if not terms:
        return constant  # type: ignore[no-any-return]  # an integer
    if len(terms) == 1 and constant == 0 and terms[0][1] == 1 and len(terms[0][0]) == 1:
        return terms[0][0][0]
    if len(terms) > _MOST_TERMS or any(len(m) > _MOST_FACTORS or _is_long(c) for m, c in (*terms, ((), constant))):
        return _opaque((constant, frozenset(terms)), _least(constant, terms))
    terms.sort(key=_term_order)
    return _sum(constant, tuple(terms))


def _is_long(coefficient: Any) -> bool:
    return int(abs(coefficient)).bit_length() > _MOST_BITS


def _least(constant: Any, terms: Iterable[tuple[Monomial, Any]]) -> Bound:
    """0 if nothing in an expression is negative, None if something might be."""
    return 0 if constant >= 0 and all(c > 0 and all(map(_is_counted, m)) for m, c in terms) else None


def _is_counted(symbol: Symbol) -> bool:
    """True if a symbol that is no sum is at least 0."""
    return type(symbol) is not Atom or (symbol.low is not None and symbol.low >= 0)


def _term_order(term: tuple[Monomial, int]) -> tuple[int, ...]:
    return (len(term[0]), *[s._number for s in term[0]])


def by_number(symbol: Dim) -> int:
    """Sort key of symbols: the order in which they were made."""
    return symbol if isinstance(symbol, int) else symbol._number


def total(dims: Iterable[Dim]) -> Dim:
    """The sum of sizes and (possibly negative) numbers."""
    number, symbols = 0, list[Symbol]()
    for dim in dims:
        if type(dim) is int:
            number += dim
        else:
            symbols.append(dim)  # type: ignore[arg-type]
    if not symbols:
        return number
    if number == 0 and len(symbols) == 1:
        return symbols[0]
    found: Polynomial = {(): number}
    for symbol in symbols:
        if type(symbol) is Sum:
            for monomial, c in symbol.terms:
                found[monomial] = found.get(monomial, 0) + c
            found[()] += symbol.constant
        else:
            found[(symbol,)] = found.get((symbol,), 0) + 1
    return dim_of(found)


def shifted(size: Dim, by: int) -> Dim:
    """A size plus a (possibly negative) number."""
    return size + by if type(size) is int else total((size, by))


def scaled_by(size: Dim, factor: int) -> Dim:
    """A size times a (possibly negative) number."""
    return size * factor if type(size) is int else product((size, factor))


def difference(a: Dim, b: Dim) -> Dim:
    """a - b, which may be negative."""
    return 0 if a is b else total((a, scaled_by(b, -1)))


def product(dims: Iterable[Dim]) -> Dim:
    """The product of sizes and numbers."""
    number, symbols, sums = 1, list[Symbol](), list[Sum]()
    for dim in dims:
        if type(dim) is int:
            number *= dim
        elif type(dim) is Sum:
            sums.append(dim)
        else:
            symbols.append(dim)  # type: ignore[arg-type]
    if number == 0 or not (symbols or sums):
        return number
    if not sums:
        if number == 1 and len(symbols) == 1:
            return symbols[0]
        symbols.sort(key=by_number)
        return dim_of(_cancelled(tuple(symbols), number))
    symbols.sort(key=by_number)
    found = _cancelled(tuple(symbols), number)
    for place, factor in enumerate(sums):
        found = _times(found, polynomial(factor))
        if len(found) > _MOST_TERMS or any(len(m) > _MOST_FACTORS for m in found):
            rest = sums[place + 1 :]
            low = _least(0, found.items())
            if any(_least(s.constant, s.terms) is None for s in rest):
                low = None
            return _opaque((frozenset(found.items()), *sorted(rest, key=by_number)), low)
    return dim_of(found)


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    found: Polynomial = {}
    for m, c in a.items():
        for n, d in b.items():
            for monomial, e in _cancelled(tuple(sorted(m + n, key=by_number)), c * d).items():
                found[monomial] = found.get(monomial, 0) + e
    return found


def _cancelled(monomial: Monomial, coefficient: int) -> Polynomial:
    """A term, with whole quotients multiplied out where their divisor is among its factors: 3 * (n / 3) is n."""
    for place, symbol in enumerate(monomial):
        if type(symbol) is not Atom or symbol.kind != "div":
            continue
        dividend, divisor = symbol.args
        rest = monomial[:place] + monomial[place + 1 :]
        if type(divisor) is int:
            common = gcd(divisor, coefficient)
            if common == 1:
                continue
            left = exact_quotient(dividend, divisor // common)
            if left is None:
                left = derive("div", dividend, divisor // common)
            return polynomial(product((coefficient // common, left, *rest)))
        if divisor in rest:
            at = rest.index(divisor)
            return polynomial(product((coefficient, dividend, *rest[:at], *rest[at + 1 :])))
    return {monomial: coefficient}


def exact_quotient(dividend: Dim, divisor: Dim) -> Dim | None:
    """The expression q with q * divisor = dividend, None if no polynomial is that."""
    if type(divisor) is int:
        if divisor == 0:
            return None
        if type(dividend) is int:
            return None if dividend % divisor else dividend // divisor
        found = polynomial(dividend)
        if any(c % divisor for c in found.values()):
            return None
        return dim_of({m: c // divisor for m, c in found.items()})
    if dividend is divisor:
        return 1
    left, by = polynomial(dividend), polynomial(divisor)
    lead = max(by, key=lambda m: _term_order((m, 0)))
    found = {}
    for _ in range(_MOST_TERMS):
        if not left:
            return dim_of(found)
        top = max(left, key=lambda m: _term_order((m, 0)))
        rest = _without(top, lead)
        if rest is None or left[top] % by[lead]:
            return None
        factor = left[top] // by[lead]
        found[rest] = found.get(rest, 0) + factor
        for m, c in by.items():
            monomial = tuple(sorted(m + rest, key=by_number))
            left[monomial] = left.get(monomial, 0) - factor * c
            if not left[monomial]:
                del left[monomial]
    return None


def _without(monomial: Monomial, factor: Monomial) -> Monomial | None:
    """The quotient of two monomials, None if it is not one."""
    rest = list(monomial)
    for symbol in factor:
        if symbol not in rest:
            return None
        rest.remove(symbol)
    return tuple(rest)


def arguments(dim: Dim) -> tuple[Dim, ...]:
    """What a derived size is made of; () for numbers and plain symbols."""
    return dim.args if isinstance(dim, (Atom, Sum)) else ()


def value_at(dim: Dim, sizes: Mapping[Symbol, int]) -> int:
    """The number that a size is where its symbols have these values.

    Raises:
        KeyError: it depends on a symbol that has none, or is a function that cannot be evaluated.
    """
    return _value_at(dim, sizes, {})


def _value_at(dim: Dim, sizes: Mapping[Symbol, int], known: dict[Symbol, int]) -> int:
    if type(dim) is int:
        return dim
    assert isinstance(dim, Symbol)
    if dim in known:
        return known[dim]
    if type(dim) is Sum:
        found = dim.constant
        for monomial, c in dim.terms:
            for symbol in monomial:
                c *= _value_at(symbol, sizes, known)
            found += c
    elif type(dim) is Atom:
        found = int(_FUNCTIONS[dim.kind](*[_value_at(a, sizes, known) for a in dim.args]))
    else:
        found = sizes[dim]
    known[dim] = found
    return found


_FUNCTIONS: dict[str, Any] = {
    "broadcast": lambda *sizes: next((n for n in sizes if n != 1), 1),
    "div": lambda a, b: a // b,
    "floordiv": lambda a, b: a // b,
    "max": max,
    "min": min,
}
