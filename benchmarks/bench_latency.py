"""How fast the optimized models run: original and result in ONNX Runtime, one thread, interleaved.

    python benchmarks/bench_latency.py MODEL_OR_FOLDER... [--passes @default] [--seconds 2] [--opt off,on] [--json OUT]

For each model, with the runtime's own graph optimizations off and on: the median time of a run of the original and of
the result, and the median of the ratios of neighbouring runs with a 95% confidence interval (bootstrap). The original
run against itself in the same way is the noise bar: a result counts as slower where its whole interval lies above it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort

import gopt
from gopt.verify import Verifier
from gopt.verify.flow import Facts
from gopt.verify.inputs import feed, specs

LEVELS = {"off": ort.GraphOptimizationLevel.ORT_DISABLE_ALL, "on": ort.GraphOptimizationLevel.ORT_ENABLE_ALL}


def session(path: Path, level: str) -> ort.InferenceSession:
    """A session of one thread."""
    options = ort.SessionOptions()
    options.graph_optimization_level = LEVELS[level]
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def inputs(path: Path) -> dict[str, Any]:
    """Values for the inputs on which the original runs: those that verification finds first."""
    with Verifier.start(path, once=True) as verifier:
        prepared = verifier.prepare()
    model = onnx.load(path, load_external_data=False)
    sizes = prepared.cases[0] if prepared.cases else {}
    return feed(specs(model, Facts(model)), sizes, 0)


def times(sessions: list[ort.InferenceSession], values: dict[str, Any], seconds: float) -> np.ndarray[Any, Any]:
    """Seconds of interleaved runs, a row a round, in turn from the first and from the last session on."""
    feeds = [{i.name: values[i.name] for i in s.get_inputs()} for s in sessions]
    for s, f in zip(sessions, feeds, strict=True):
        s.run(None, f)
    rows: list[list[float]] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rows) < 20:
        row = [0.0] * len(sessions)
        for k in range(len(sessions)) if len(rows) % 2 else reversed(range(len(sessions))):
            start = time.perf_counter()
            sessions[k].run(None, feeds[k])
            row[k] = time.perf_counter() - start
        rows.append(row)
        if len(rows) >= 2000:
            break
    return np.array(rows)


def interval(ratios: np.ndarray[Any, Any]) -> tuple[float, float, float]:
    """The median and its 95% confidence interval."""
    rng = np.random.default_rng(0)
    medians = np.median(rng.choice(ratios, (400, len(ratios))), axis=1)
    return float(np.median(ratios)), float(np.quantile(medians, 0.025)), float(np.quantile(medians, 0.975))


def measure(path: Path, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One result a level."""
    values = inputs(path)
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.onnx"
        gopt.run(path, args.passes, output=made, verify=False)
        for level in args.opt.split(","):
            sessions = [session(path, level), session(path, level), session(made, level)]
            rows = times(sessions, values, args.seconds)
            noise = interval(rows[:, 1] / rows[:, 0])
            gain = interval(rows[:, 2] / rows[:, 0])
            bar = max(noise[2], 1.02)
            verdict = "SLOWER" if gain[1] > bar else "faster" if gain[2] < 2 - bar else "same"
            before, after = np.median(rows[:, 0]) * 1e3, np.median(rows[:, 2]) * 1e3
            yield {"model": path.name, "level": level, "runs": len(rows), "before_ms": before, "after_ms": after} | {
                "ratio": gain,
                "noise": noise,
                "verdict": verdict,
            }


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="default: the folder that GOPT_MODELS names")
    parser.add_argument("--passes", default="@default")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--opt", default="off,on")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    models = args.models or [Path(p) for p in [os.environ.get("GOPT_MODELS")] if p]
    if not models:
        print("no models: name some, or a folder of them in GOPT_MODELS")
    results = []
    for path in (p for m in models for p in (sorted(m.glob("*.onnx")) if m.is_dir() else [m])):
        try:
            for found in measure(path, args):
                results.append(found)
                low, high = found["ratio"][1:]
                print(
                    f"{path.name[:48]:48} {found['level']:3} {found['before_ms']:9.3f} -> {found['after_ms']:9.3f} ms"
                    f"  {found['ratio'][0]:.3f} [{low:.3f}, {high:.3f}]  noise {found['noise'][0]:.3f}"
                    f" [{found['noise'][1]:.3f}, {found['noise'][2]:.3f}]  {found['verdict']}",
                    flush=True,
                )
        except Exception as error:
            print(f"{path.name[:48]:48} {type(error).__name__}: {str(error)[:200]}", flush=True)
    for level in args.opt.split(","):
        ratios = [r["ratio"][0] for r in results if r["level"] == level]
        if ratios:
            mean = float(np.exp(np.mean(np.log(ratios))))
            slower = sum(r["verdict"] == "SLOWER" for r in results if r["level"] == level)
            print(f"optimizations {level}: geometric mean {mean:.3f} of {len(ratios)} models, {slower} slower")
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
