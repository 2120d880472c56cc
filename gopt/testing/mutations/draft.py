"""What mutations change, and the table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ...analysis import forget, infer
from ...analysis.inference import type_of
from ...ir import Array, ArrayTensor, Declared, DType, Graph, Model, TensorType, Value
from ..plans import Rng, Shape

LARGE = 1 << 16
"""Elements of a constant or input above which a draft is given up."""


@dataclass(slots=True)
class Draft:
    """A model that is being changed.

    Attributes:
        model: the model.
        sizes: shape of the array that is fed to each input.
        given: arrays to feed to inputs that were constants.
        special: NaN and infinities may stand in constants.
    """

    model: Model
    sizes: dict[Value, Shape] = field(default_factory=dict)
    given: dict[Value, Array] = field(default_factory=dict)
    special: bool = False

    @property
    def graph(self) -> Graph:
        """The main graph."""
        return self.model.graph

    def apply(self, name: str, rng: Rng) -> None:
        """Apply a mutation by name."""
        forget(self.model)
        infer(self.model)
        _BY_NAME[name].fn(self, rng)

    def constants(self) -> list[Value]:
        """The constants of the main graph that an op uses, of numbers or booleans."""
        found = (v for v in self.graph.constants if v.tensor is not None and v.is_needed)
        return [v for v in found if v.tensor is not None and v.tensor.dtype is not DType.STRING]

    def set_data(self, value: Value, data: Array) -> None:
        """Put a constant of other elements in the place of one, for all its uses."""
        new = self.graph.add_const(ArrayTensor(data), value.name, None)
        self.graph.replace_uses(value, new)
        self.graph.drop(value)


class Mutation(NamedTuple):
    """A mutation, and how often it is chosen in relation to the others."""

    name: str
    fn: Callable[[Draft, Rng], None]
    weight: float


MUTATIONS: list[Mutation] = []
_BY_NAME: dict[str, Mutation] = {}
LAST = frozenset({"into body"})
"""Mutations after which there is little left to change."""


def mutation(name: str, weight: float = 1.0) -> Callable[[Callable[[Draft, Rng], None]], Callable[[Draft, Rng], None]]:
    """Enter the decorated function into the table."""

    def decorate(fn: Callable[[Draft, Rng], None]) -> Callable[[Draft, Rng], None]:
        found = Mutation(name, fn, weight)
        MUTATIONS.append(found)
        _BY_NAME[name] = found
        return fn

    return decorate


def declare(value: Value, type_: TensorType) -> None:
    """Declare an input."""
    value.declared = Declared(type_)


def declared(value: Value) -> TensorType | None:
    """The declared tensor type of an input."""
    type_ = value.declared.type if value.declared is not None else None
    return type_ if isinstance(type_, TensorType) else None


def tensor_type(value: Value) -> TensorType | None:
    """The type of a value that is known to be a tensor."""
    found = type_of(value)
    return found if isinstance(found, TensorType) else None
