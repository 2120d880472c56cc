"""Types of values: tensors with symbolic shapes, sequences, optionals, maps (ONNX IR specification, "Types")."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from .dtype import DType


class Symbol:
    """An unknown but fixed size of a dimension.

    Two dims are known to be equal only if they are the same symbol. Symbols of the model's interface (`dim_param`)
    are interned by name per model; a size about which nothing is known is a fresh, nameless symbol.

    Attributes:
        name: the name that the model gives it, or "".
        least: what it is at least in runs in which no input is empty.
    """

    __slots__ = ("_number", "least", "name")
    _numbers = count()

    def __init__(self, name: str = "", least: int = 0) -> None:
        self.name = name
        self.least = least
        self._number = next(Symbol._numbers)

    def __repr__(self) -> str:
        return self.name or "?"


Dim = int | Symbol
Shape = tuple[Dim, ...]
Entries = tuple[int | float | Symbol | None, ...]
"""What is known of the elements of a small tensor, in row-major order: a number, a symbolic integer, or None."""


@dataclass(frozen=True, slots=True)
class TensorType:
    """A dense tensor, and what is known of its elements.

    Attributes:
        dtype: element type.
        shape: None when even the rank is unknown.
        elements: of a small tensor of known shape: what analysis knows of its elements; None if nothing.
    """

    dtype: DType
    shape: Shape | None = None
    elements: Entries | None = None

    @property
    def rank(self) -> int | None:
        """Number of dimensions, None if unknown."""
        return None if self.shape is None else len(self.shape)

    @property
    def is_static(self) -> bool:
        """True if every dimension is a known number."""
        return self.shape is not None and all(type(d) is int for d in self.shape)

    @property
    def size(self) -> int | None:
        """Number of elements, None if not known."""
        if self.shape is None:
            return None
        n = 1
        for d in self.shape:
            if not isinstance(d, int):
                return None
            n *= d
        return n

    def __str__(self) -> str:
        dims = "?" if self.shape is None else ",".join(map(repr, self.shape))
        return f"{self.dtype.name.lower()}[{dims}]"


@dataclass(frozen=True, slots=True)
class SparseTensorType:
    """A sparse tensor in coordinate format."""

    dtype: DType
    shape: Shape | None = None


@dataclass(frozen=True, slots=True)
class SequenceType:
    """A list of values of one type."""

    elem: Type


@dataclass(frozen=True, slots=True)
class OptionalType:
    """A value that may be absent."""

    elem: Type


@dataclass(frozen=True, slots=True)
class MapType:
    """A map from integers or strings to values of one type."""

    key: DType
    value: Type


@dataclass(frozen=True, slots=True)
class OpaqueType:
    """A type of a domain that gopt knows nothing about."""

    domain: str = ""
    name: str = ""


Type = TensorType | SparseTensorType | SequenceType | OptionalType | MapType | OpaqueType


def static_shape(type_: Type | None) -> tuple[int, ...] | None:
    """The shape as plain numbers, or None if any part of it is unknown."""
    if not isinstance(type_, TensorType) or type_.shape is None:
        return None
    dims = tuple(d for d in type_.shape if isinstance(d, int))
    return dims if len(dims) == len(type_.shape) else None
