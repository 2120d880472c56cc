"""How time grows with the model: made graphs of 1k, 10k and 100k ops through load, optimize and save.

    python benchmarks/bench_growth.py [--sizes 1000 10000 100000]

Each graph is a long residual network with something for every family: foldable constants, identities, duplicates,
convolutions with batch norms, chains of constant Mul and Add. The growth for tenfold the ops is to be at most 11.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import gopt

BLOCK = 10
"""Ops in one block of the made network."""


def block(index: int, source: str) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto], str]:
    """One residual block of `BLOCK` ops and its weights; the name of its result."""
    rng = np.random.default_rng(index)
    names = {k: f"{k}_{index}" for k in ("conv", "bn", "relu", "id", "dup", "mul", "add", "two", "scaled", "out")}
    node = helper.make_node
    nodes = [
        node("Conv", [source, f"w_{index}"], [names["conv"]]),
        node("BatchNormalization", [names["conv"], *(f"{p}_{index}" for p in "sbmv")], [names["bn"]]),
        node("Relu", [names["bn"]], [names["relu"]]),
        node("Relu", [names["bn"]], [names["dup"]]),
        node("Identity", [names["dup"]], [names["id"]]),
        node("Add", ["one", "one"], [names["two"]]),
        node("Mul", [names["relu"], names["two"]], [names["mul"]]),
        node("Add", [names["mul"], "one"], [names["add"]]),
        node("Mul", [names["id"], names["add"]], [names["scaled"]]),
        node("Add", [names["scaled"], source], [names["out"]]),
    ]
    arrays = {"w": rng.normal(0, 0.5, (2, 2, 1, 1)), "s": np.ones(2), "b": rng.normal(size=2), "m": np.zeros(2)}
    arrays["v"] = np.ones(2)
    weights = [numpy_helper.from_array(a.astype(np.float32), f"{k}_{index}") for k, a in arrays.items()]
    return nodes, weights, names["out"]


def make(ops: int, path: Path) -> None:
    """Write a network of `ops` ops."""
    nodes: list[onnx.NodeProto] = []
    weights = [numpy_helper.from_array(np.ones((), np.float32), "one")]
    value = "x"
    for index in range(ops // BLOCK):
        more, tensors, value = block(index, value)
        nodes += more
        weights += tensors
    shape = [1, 2, 4, 4]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n in ("x", value)]
    graph = helper.make_graph(nodes, "growth", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def seconds(path: Path, out: Path, runs: int) -> tuple[float, int]:
    """Best CPU seconds of a run without verification, and the ops that are left."""
    best, left = float("inf"), 0
    for _ in range(runs):
        start = time.process_time()
        result = gopt.run(path, output=out, verify=False)
        best = min(best, time.process_time() - start)
        left = result.model.count_ops()
    return best, left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10000, 100000])
    args = parser.parse_args()
    print(f"{'ops':>8} {'left':>8} {'seconds':>9} {'us/op':>7} {'floor s':>8} {'x floor':>8} {'growth':>7}")
    before = None
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            path, out = Path(folder, f"{size}.onnx"), Path(folder, f"{size}.opt.onnx")
            make(size, path)
            start = time.process_time()
            onnx.save(onnx.load(path), out)
            floor = time.process_time() - start
            spent, left = seconds(path, out, 3 if size <= 10000 else 1)
            growth = f"{spent / before:7.1f}" if before else f"{'':7}"
            print(
                f"{size:8} {left:8} {spent:9.3f} {spent / size * 1e6:7.1f} {floor:8.3f} {spent / floor:8.2f} {growth}"
            )
            before = spent


if __name__ == "__main__":
    main()
