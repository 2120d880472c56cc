"""Where the samples of a batch lie in a value."""

from __future__ import annotations

from dataclasses import dataclass

from ....errors import UsageError
from ....ir import Dim, TensorType, Type
from ....ops.sizes import product


class Refusal(UsageError):
    """The batch size cannot be changed; the message names the op.

    Attributes:
        choices: those that lead here, a bit each.
        progress: how many ops were understood.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.choices = 0
        self.progress = 0


@dataclass(frozen=True, slots=True)
class Along:
    """Samples lie along an axis of `outer * batch * inner` elements; number (o * batch + i) * inner + k is of sample i.

    After Reshape (B, T, C) -> (B*T, C) the axis is 0, outer 1 and inner T; after Concat of two batches outer is 2.
    """

    axis: int
    outer: Dim = 1
    inner: Dim = 1

    @property
    def times(self) -> Dim:
        """Elements of the axis for each sample."""
        return product((self.outer, self.inner))

    def size(self, batch: Dim) -> Dim:
        """Elements of the axis."""
        return product((self.outer, self.inner, batch))

    def numbers(self) -> tuple[int, int]:
        """Outer and inner where both are known.

        Raises:
            Refusal: one is not.
        """
        if isinstance(self.outer, int) and isinstance(self.inner, int):
            return self.outer, self.inner
        raise Refusal("how its elements are spread over the samples is not known")

    def on(self, axis: int) -> Along:
        """The same along another axis."""
        return Along(axis, self.outer, self.inner)


@dataclass(frozen=True, slots=True)
class Times:
    """A size that is so many times the batch size, plus a number."""

    factor: int
    plus: int = 0

    def at(self, batch: int) -> int:
        """The size for a batch of a known size."""
        return self.factor * batch + self.plus


Size = int | Times


def shape_of(type_: Type | None) -> tuple[Dim, ...] | None:
    """The shape of a tensor, None if its rank is unknown."""
    return type_.shape if isinstance(type_, TensorType) else None
