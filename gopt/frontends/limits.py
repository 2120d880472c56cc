"""What a model may cost before it is refused, and which folders its external data may lie in beside its own.

Both hold for all that is loaded within a `with` block: a run loads its model several times, far from the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a model that is loaded; what lies beyond is refused before it costs anything.

    Attributes:
        file: bytes of the model file, external data not counted.
        nodes: in all graphs, bodies and functions together.
        name: bytes of a name.
        attribute: numbers or texts in a list, and bytes of a text, of an attribute; tensors do not count.
        dense: bytes that a sparse tensor may have when it is written out.
        folders: where external data may lie beside the model's own folder; links in there are not followed out of it.
    """

    file: int = 16 << 30
    nodes: int = 2_000_000
    name: int = 1 << 16
    attribute: int = 1 << 26
    dense: int = 1 << 28
    folders: tuple[Path, ...] = ()


NUMBERS = ("file", "nodes", "name", "attribute", "dense")
"""The fields of `Limits` that are numbers."""

_current: ContextVar[Limits | None] = ContextVar("limits", default=None)
_DEFAULT = Limits()


def limits() -> Limits:
    """Those that hold now."""
    return _current.get() or _DEFAULT


@contextmanager
def limited(to: Limits) -> Iterator[None]:
    """Load models under other limits."""
    token = _current.set(to)
    try:
        yield
    finally:
        _current.reset(token)


def real_folders(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Folders with links followed.

    Raises:
        OSError: one is missing.
    """
    return tuple(folder.resolve(strict=True) for folder in folders)
