"""Which values of two bodies are the same: one value captured from outside, or constants that are equal to the bit."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from ...ir import Tensor, Value
from ..clean.duplicates import equal_tensors, head


class Numbers:
    """Gives equal values equal keys; one instance for all that is to be compared."""

    def __init__(self) -> None:
        self._tensors: dict[Hashable, list[Tensor]] = {}
        self._kinds: dict[Hashable, int] = {}
        self._known: dict[Value, Hashable] = {}

    def note(self, results: Sequence[Value | None], kind: Hashable) -> None:
        """Take the results of an op for the same as those of all ops of one kind."""
        number = self._kinds.setdefault(kind, len(self._kinds))
        self._known.update((value, ("of", number, slot)) for slot, value in enumerate(results) if value is not None)

    def of(self, value: Value | None) -> Hashable:
        """A key that two values share only if they are the same; None for an omitted operand."""
        if value is None:
            return None
        known = self._known.get(value)
        if known is None:
            known = self._known[value] = self._key(value)
        return known

    def _key(self, value: Value) -> Hashable:
        constant = value.const
        if constant is not None:
            kind = (constant.dtype, constant.shape, head(constant))
            alike = self._tensors.setdefault(kind, [])
            for place, tensor in enumerate(alike):
                if tensor is constant or equal_tensors(tensor, constant):
                    return (kind, place)
            alike.append(constant)
            return (kind, len(alike) - 1)
        return id(value.outer)
