"""Runs an operator on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import GoptError
from ..ir import Array, Op
from .view import attribute


class NoKernel(GoptError):
    """The op cannot be computed here: no kernel, or a case in which runtimes differ."""


@dataclass(slots=True)
class Call:
    """What a kernel is given.

    Attributes:
        op: the op; its values' types need not be known.
        arrays: operands in the newest schema's slots, attributes that became operands included; None if omitted.
    """

    op: Op
    arrays: tuple[Array | None, ...]

    def __getitem__(self, slot: int) -> Array:
        """An operand that must be there.

        Raises:
            NoKernel: it is not.
        """
        found = self.get(slot)
        if found is None:
            raise NoKernel(f"{self.op.label} lacks operand {slot}")
        return found

    def get(self, slot: int) -> Array | None:
        """An operand, None if omitted."""
        return self.arrays[slot] if slot < len(self.arrays) else None

    def attribute(self, name: str) -> Any:
        """An attribute of the newest schema, default filled in."""
        return attribute(self.op, name)

    def ints(self, slot: int) -> tuple[int, ...] | None:
        """An operand as a tuple of integers; None if omitted."""
        found = self.get(slot)
        return None if found is None else tuple(found.ravel().tolist())


def evaluate(op: Op, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
    """Results of the op for arrays given for `op.inputs` as spelled.

    Raises:
        NoKernel: it cannot be computed.
    """
    raise NotImplementedError
