"""A line on stderr that says what is going on, for people who wait."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE = 1.0
"""Seconds of work before anything is shown; rich is not even imported before."""


@contextmanager
def progress(wanted: bool = True) -> Iterator[Callable[[str], None] | None]:
    """A function that is told what begins; None where nobody looks (stderr is no terminal).

    The line appears once the work has taken a second, and goes when it ends.
    """
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    line = _Line()
    timer = threading.Timer(PATIENCE, line.show)
    timer.daemon = True
    timer.start()
    try:
        yield line.tell
    finally:
        timer.cancel()
        line.end()


class _Line:
    """What is going on, shown by rich from the moment that somebody asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._what = "starting"
        self._ended = False
        self._shown: tuple[Progress, TaskID] | None = None

    def tell(self, what: str) -> None:
        """Note what begins now."""
        with self._lock:
            self._what = printable(what)
            if self._shown is not None:
                live, task = self._shown
                live.update(task, description=self._what)

    def show(self) -> None:
        """Begin to show it, unless the work has ended."""
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        with self._lock:
            if self._ended:
                return
            columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
            live = Progress(*columns, console=Console(stderr=True), transient=True)
            self._shown = (live, live.add_task(self._what, total=None))
            live.start()

    def end(self) -> None:
        """Wipe the line."""
        with self._lock:
            self._ended = True
            if self._shown is not None:
                self._shown[0].stop()
