"""Sizes computed from sizes: products, sums and windows of symbolic dims.

Arithmetic on symbols gives symbols again. The same arithmetic on the same symbols gives the same symbol, so that two
branches that go through equal convolutions are still known to have equal sizes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ..ir import Dim, Symbol


class Derived(Symbol):
    """A size that is a function of other sizes.

    Attributes:
        kind: the function.
        args: its arguments.
    """

    __slots__ = ("args", "kind")

    def __init__(self, kind: str, args: tuple[Dim, ...]) -> None:
        super().__init__()
        self.kind = kind
        self.args = args


# Bounded so that a process that loads many models does not grow. A symbol that fell out is made anew, which loses an
# equality but claims nothing wrong.
@lru_cache(maxsize=1 << 16)
def derive(kind: str, *args: Dim) -> Symbol:
    """The symbol for a function of sizes; `kind` and the numbers among `args` must determine the function."""
    return Derived(kind, args)


def product(dims: Iterable[Dim]) -> Dim:
    """The product of sizes, in a normal form."""
    number, symbols = 1, list[Symbol]()
    for dim in dims:
        if type(dim) is int:
            number *= dim
        elif isinstance(dim, Derived) and dim.kind == "mul":
            number *= dim.args[0]  # type: ignore[operator]  # the first factor of a product is its number
            symbols += dim.args[1:]  # type: ignore[arg-type]
        else:
            symbols.append(dim)  # type: ignore[arg-type]
    if not symbols or number == 0:
        return number
    if number == 1 and len(symbols) == 1:
        return symbols[0]
    symbols.sort(key=_by_number)
    return derive("mul", number, *symbols)


def total(dims: Iterable[Dim]) -> Dim:
    """The sum of sizes and (possibly negative) numbers, in a normal form."""
    number, symbols = 0, list[Symbol]()
    for dim in dims:
        if type(dim) is int:
            number += dim
        elif isinstance(dim, Derived) and dim.kind == "add":
            number += dim.args[0]  # type: ignore[operator]  # the first term of a sum is its number
            symbols += dim.args[1:]  # type: ignore[arg-type]
        else:
            symbols.append(dim)  # type: ignore[arg-type]
    if not symbols:
        return number
    if number == 0 and len(symbols) == 1:
        return symbols[0]
    symbols.sort(key=_by_number)
    return derive("add", number, *symbols)


def shifted(size: Dim, by: int) -> Dim:
    """A size plus a (possibly negative) number."""
    if by == 0:
        return size
    if type(size) is int:
        return size + by
    if isinstance(size, Derived) and size.kind == "add":
        return total((size, by))
    return derive("add", by, size)


def quotient(dividend: Dim, divisor: Dim) -> Dim:
    """The quotient of sizes that is known to be whole.

    Raises:
        ValueError: the numbers say that it is not, or the divisor is 0.
    """
    number, symbols = _factors(dividend)
    divider, others = _factors(divisor)
    if divider == 0:
        raise ValueError("division by a size of 0")
    left: list[Symbol] = []
    for symbol in others:
        if symbol in symbols:
            symbols.remove(symbol)
        else:
            left.append(symbol)
    if left or number % divider:
        if not symbols and not left:
            raise ValueError(f"{number} is not a multiple of {divider}")
        return derive("div", product((number, *symbols)), product((divider, *left)))
    return product((number // divider, *symbols))


def floor_div(dividend: Dim, divisor: int) -> Dim:
    """A size divided by a positive number, rounded down."""
    if type(dividend) is int:
        return dividend // divisor
    if divisor == 1:
        return dividend
    if isinstance(dividend, Derived) and dividend.kind == "mul":
        number, symbols = _factors(dividend)
        if number % divisor == 0:
            return product((number // divisor, *symbols))
    return derive("floordiv", dividend, divisor)


def windows(size: Dim, kernel: int, stride: int, padding: int, dilation: int) -> Dim:
    """How many windows fit: floor((size + padding - dilated kernel) / stride) + 1 (ONNX, Conv and the pools)."""
    shift = padding - (kernel - 1) * dilation - 1
    if type(size) is int:
        return max((size + shift) // stride + 1, 0)
    if stride == 1:
        return shifted(size, shift + 1)
    return shifted(floor_div(shifted(size, shift), stride), 1)


def merge(a: Dim, b: Dim) -> Dim:
    """One of two sizes that must be equal: the number if one of them is a number.

    Raises:
        ValueError: they are different numbers.
    """
    if type(a) is int:
        if type(b) is int and a != b:
            raise ValueError(f"sizes {a} and {b} differ")
        return a
    return b if type(b) is int else a


def _by_number(symbol: Symbol) -> int:
    return symbol._number


def _factors(dim: Dim) -> tuple[int, list[Symbol]]:
    if isinstance(dim, int):
        return dim, []
    if isinstance(dim, Derived) and dim.kind == "mul":
        return dim.args[0], list(dim.args[1:])  # type: ignore[return-value, arg-type]
    return 1, [dim]
