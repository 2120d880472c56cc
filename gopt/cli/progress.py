"""A line on stderr that says what is going on, for people who wait."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from .text import printable

PATIENCE = 1.0
_BEAT = 0.2


@contextmanager
def progress(wanted: bool = True) -> Iterator[Callable[[str], None] | None]:
    """A function that is told what begins; None where nobody looks (stderr is no terminal).

    The line appears once the work has taken a second, and goes when it ends.
    """
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    line = _Line()
    line.start()
    try:
        yield line.tell
    finally:
        line.stop()


class _Line(threading.Thread):
    """Rewrites the line a few times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="progress")
        self._begun = monotonic()
        self._what = ("starting", self._begun)
        self._done = threading.Event()

    def tell(self, what: str) -> None:
        """Note what begins now."""
        self._what = (printable(what), monotonic())

    def run(self) -> None:
        if self._done.wait(PATIENCE):
            return
        while not self._done.wait(_BEAT):
            what, since = self._what
            now = monotonic()
            text = f"{now - self._begun:6.1f} s  {what}"
            if now - since > 2 * PATIENCE:
                text += f" ({now - since:.0f} s)"
            sys.stderr.write(f"\r\x1b[K{text[:100]}")
            sys.stderr.flush()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()

    def stop(self) -> None:
        """End it and wipe the line."""
        self._done.set()
        self.join()
