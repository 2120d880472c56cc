"""The process that runs models for `gopt.testing`: some that a generator makes crash the runtime, or never end."""

from __future__ import annotations

import os
import sys

from gopt.testing.runner import execute, serve

if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the runtime prints is no answer
    serve(sys.stdin.buffer, answers, execute)
