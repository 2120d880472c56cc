"""Unique names of values and ops within one model."""

from __future__ import annotations


class Names:
    """The names in use in a model (its graph and all bodies), and the maker of new ones.

    A name that this hands out is used nowhere else in the model, so no scope rule can be broken by it.
    """

    __slots__ = ("_hints", "_next", "used")

    def __init__(self) -> None:
        self.used: set[str] = set()
        self._next: dict[str, int] = {}
        self._hints: dict[str, str] = {}

    def claim(self, name: str) -> None:
        """Note that a file uses `name`."""
        self.used.add(name)

    def fresh(self, hint: str) -> str:
        """A name that was never used: the hint itself, or the hint with the lowest free number.

        A name that was made here counts as its own hint did: weights folded three times are `w_3`, not `w_1_1_1`.
        """
        hint = self._hints.get(hint, hint)
        name = hint
        if not name or name in self.used:
            k = self._next.get(hint, 1)
            while (name := f"{hint}_{k}") in self.used:
                k += 1
            self._next[hint] = k + 1
            self._hints[name] = hint
        self.used.add(name)
        return name
