"""Arithmetic, comparisons and logic on elements of which a number, an expression over sizes, or nothing is known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..ir import Dim, Entries
from .bounds import is_at_most, is_different, is_size
from .sizes import difference, maximum, minimum, modulo, product, total, truncated_div
from .symbolic import Sum, polynomial

_LARGEST = 1 << 31


def checked(found: Sequence[Dim | None]) -> Entries:
    """The same without what an integer type might not hold."""
    return tuple(d if d is None or all(-_LARGEST <= n < _LARGEST for n in _numbers(d)) else None for d in found)


def _numbers(dim: Dim) -> Iterable[int]:
    """A number, or the coefficients of a size."""
    return (dim,) if isinstance(dim, int) else polynomial(dim).values() if type(dim) is Sum else ()


def equal(a: Dim | float | None, b: Dim | float | None) -> int | None:
    """1 if the elements are known to be equal, 0 if they are known to differ."""
    if a is None or b is None or isinstance(a, float) or isinstance(b, float):
        return None
    if a is b or (isinstance(a, int) and isinstance(b, int)):
        return int(a == b)
    return 0 if is_different(a, b) else None


def _less(a: Dim | None, b: Dim | None) -> int | None:
    if a is None or b is None:
        return None
    return 1 if is_at_most(total((a, 1)), b) else 0 if is_at_most(b, a) else None


def _less_or_equal(a: Dim | None, b: Dim | None) -> int | None:
    found = _less(b, a)
    return None if found is None else 1 - found


def _and(a: Dim | None, b: Dim | None) -> int | None:
    if a == 0 or b == 0:
        return 0
    return 1 if a == 1 and b == 1 else None


def _or(a: Dim | None, b: Dim | None) -> int | None:
    if a == 1 or b == 1:
        return 1
    return 0 if a == 0 and b == 0 else None


def _sized(compute: Callable[[Dim, Dim], Dim | None]) -> Callable[[Dim | None, Dim | None], Dim | None]:
    def run(a: Dim | None, b: Dim | None) -> Dim | None:
        return None if a is None or b is None else compute(a, b)

    return run


def _mod(a: Dim, b: Dim) -> Dim | None:
    """With `fmod` the result has the sign of the dividend, without that of the divisor: the same for sizes."""
    return modulo(a, b) if isinstance(b, int) and is_size(a) else None


Compute = Callable[[Dim | None, Dim | None], Dim | None]
"""Takes and gives what is known of an element; None is nothing."""

ELEMENTWISE: dict[str, Compute] = {
    "Add": _sized(lambda a, b: total((a, b))),
    "And": _and,
    "Div": _sized(truncated_div),
    "Equal": equal,
    "Greater": lambda a, b: _less(b, a),
    "GreaterOrEqual": lambda a, b: _less_or_equal(b, a),
    "Less": _less,
    "LessOrEqual": _less_or_equal,
    "Max": _sized(maximum),
    "Min": _sized(minimum),
    "Mod": _sized(_mod),
    "Mul": _sized(lambda a, b: product((a, b))),
    "Or": _or,
    "Sub": _sized(difference),
    "Sum": _sized(lambda a, b: total((a, b))),
}
"""Operators of two operands, by what they make of one element of each."""
