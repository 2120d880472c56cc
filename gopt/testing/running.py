"""Running models by ONNX Runtime, in a process of its own that may crash."""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

from ..ir import Array
from .runner import Interface, Outputs, execute

SECONDS = 10.0
"""What a small model may take; some kernels never end on windows without elements."""


class Crashed(Exception):
    """The runtime crashed, or did not end."""


def run(data: bytes, inputs: dict[str, Array]) -> dict[str, Array] | None:
    """Outputs of a model by name, by ONNX Runtime without graph optimizations; None if it does not load or run."""
    return execute(data, inputs)[0]


class Runner:
    """A child process that runs models; a new one is started after a crash."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, data: bytes, inputs: dict[str, Array]) -> tuple[Outputs | None, Interface]:
        """What `execute` gives.

        Raises:
            Crashed: it gave nothing.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        try:
            pickle.dump((data, inputs), process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            answer: tuple[Outputs | None, Interface] = pickle.load(process.stdout)
            return answer
        except (OSError, EOFError, pickle.UnpicklingError):
            self.close()
            raise Crashed("the runtime crashed, or did not end") from None
        except BaseException:  # an interrupt leaves half an answer in the pipe
            self.close()
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was not written yet cannot be any more
                    pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        home = str(Path(__file__).resolve().parents[2])
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gopt.testing.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        return self._process


RUNNER = Runner()
"""One for all; it is started when first needed."""
atexit.register(RUNNER.close)
