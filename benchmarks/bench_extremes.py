"""Seconds and memory of a run over graphs of extreme shape: long, deep, wide, and with long arithmetic on sizes.

    python benchmarks/bench_extremes.py

Each model goes through `gopt run --no-verify` in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.malformed import bombs


def main() -> None:
    models: dict[str, Callable[[], bytes]] = {
        "100,000 ops": lambda: bombs.long_chain(100_000, ("Neg", "Abs", "Identity", "Exp", "Relu")).SerializeToString(),
        "3,600 sizes": lambda: bombs.shape_chain("quotients", 1200).SerializeToString(),
        "fan-out 50,000": lambda: bombs.fanout(50_000).SerializeToString(),
        "3,000 Transposes": lambda: bombs.transposes(3000).SerializeToString(),
        "Concat of 2,000": lambda: bombs.wide_concat(2000).SerializeToString(),
        "2,000 bodies deep": lambda: bombs.nested(2000),
    }
    print(f"{'model':20} {'status':>6} {'seconds':>8} {'MB':>6}")
    for name, make in models.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "m.onnx")
            path.write_bytes(make())
            argv = [sys.executable, "-m", "gopt", "run", str(path), "-o", f"{path}.out", "--no-verify", "-q"]
            start = time.perf_counter()
            process = subprocess.Popen(argv)
            _, status, usage = os.wait4(process.pid, 0)
            spent, code = time.perf_counter() - start, os.waitstatus_to_exitcode(status)
            process.returncode = code
            print(f"{name:20} {code:6} {spent:8.2f} {usage.ru_maxrss / 1024:6.0f}", flush=True)


if __name__ == "__main__":
    main()
