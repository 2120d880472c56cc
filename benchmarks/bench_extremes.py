"""Seconds and memory of a run over graphs of extreme shape: long, deep, wide, and with long arithmetic on sizes.

    python benchmarks/bench_extremes.py [--name TEXT]

Each model goes through `gopt run --no-verify` in a process of its own; those that are small, and endless for who
computes them, with verification under `--time-limit 5`. Status 3 is a refusal. Memory is the highest resident set, that
of the process that verifies behind the plus.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench_memory import watch

from tests.malformed import bombs

CHAIN = ("Neg", "Abs", "Identity", "Exp", "Relu")
MODELS: dict[str, Callable[[], onnx.ModelProto | bytes]] = {
    "100,000 ops": lambda: bombs.long_chain(100_000, CHAIN),
    "3,600 sizes": lambda: bombs.shape_chain("quotients", 1200),
    "a value of 50,000 users": lambda: bombs.fanout(50_000),
    "50,000 copies of a value": lambda: bombs.copies(50_000),
    "50,000 operands": lambda: bombs.operands(50_000),
    "3,000 Transposes": lambda: bombs.transposes(3000),
    "Concat of 2,000": lambda: bombs.wide_concat(2000),
    "32 bodies deep": lambda: bombs.nested(32),
    "2,000 bodies deep": lambda: bombs.nested(2000),
}
VERIFIED: dict[str, Callable[[], onnx.ModelProto | bytes]] = {
    "2^60 calls": bombs.function_bomb,
    "2^60 paths": bombs.paths,
    "2^40 elements": bombs.growing_concat,
    "2^160 trips": bombs.loop_bomb,
    "2^60 trips": bombs.eats_time,
    "512 GB in a run": bombs.eats_memory,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="", help="those alone whose name contains this")
    args = parser.parse_args()
    print(f"{'model':26} {'status':>6} {'seconds':>8} {'CPU':>6} {'MB':>10}")
    for models, options in ((MODELS, ["--no-verify"]), (VERIFIED, ["--time-limit", "5"])):
        for name, make in models.items():
            if args.name in name:
                measure(name, make(), options)


def measure(name: str, model: onnx.ModelProto | bytes, options: list[str]) -> None:
    """Run one and print what it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.onnx")
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        argv = [sys.executable, "-m", "gopt", "run", str(path), "-o", f"{path}.out", "-q", *options]
        found = watch(argv)
        peaks = [resident for resident, _ in found.peaks.values()]
        print(
            f"{name:26} {found.status:6} {found.seconds:8.2f} {found.busy:6.2f} {' + '.join(map(str, peaks)):>10}",
            flush=True,
        )


if __name__ == "__main__":
    main()
