"""A time limit for what runs in this process: a pass that never ends is a failure like any other."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class TooSlow(BaseException):
    """The time is over; no `except Exception` on the way catches it."""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise `TooSlow` in the block once it took so much of the processor; without effect outside of the main thread.

    The clock on the wall would blame a rule for whatever else the machine does.

    Raises:
        TooSlow: it did.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
