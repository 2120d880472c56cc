"""Peak memory of a run over a model with external data, mapped pages counted.

    python benchmarks/bench_memory.py [--gigabytes 2.3]

Makes a chain of MatMuls whose weights lie in a file beside the model and runs
`gopt run --no-verify` on it in a process of its own and prints that process's highest resident set.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from onnx import TensorProto, helper

SIDE = 4096


def make(path: Path, gigabytes: float) -> int:
    """Write the model; returns the bytes of its weights."""
    nbytes = SIDE * SIDE * 4
    count = max(1, round(gigabytes * 1e9 / nbytes))
    data = path.with_suffix(".data")
    with data.open("wb") as file:
        for _ in range(count):  # weights that differ: equal ones would become one
            file.write(os.urandom(1 << 20) * (nbytes >> 20))
    weights, nodes, value = [], [], "x"
    for index in range(count):
        tensor = TensorProto(name=f"w{index}", data_type=TensorProto.FLOAT, dims=[SIDE, SIDE])
        tensor.data_location = TensorProto.EXTERNAL
        for key, text in (("location", data.name), ("offset", str(index * nbytes)), ("length", str(nbytes))):
            tensor.external_data.add(key=key, value=text)
        weights.append(tensor)
        nodes.append(helper.make_node("MatMul", [value, f"w{index}"], [f"m{index}"]))
        nodes.append(helper.make_node("Identity", [f"m{index}"], [f"i{index}"]))
        value = f"i{index}"
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", SIDE]) for n in ("x", value)]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], weights)
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    return count * nbytes


def peak(command: list[str]) -> tuple[float, float]:
    """Seconds and highest resident MB of a process, mapped pages included."""
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} ended with {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder, "large.onnx"), Path(folder, "out", "large.onnx")
        out.parent.mkdir()
        weights = make(path, args.gigabytes)
        spent, resident = peak([sys.executable, "-m", "gopt", "run", str(path), "-o", str(out), "--no-verify"])
        written = sum(f.stat().st_size for f in out.parent.iterdir())
    print(f"weights {weights / 1e9:.2f} GB, written {written / 1e9:.2f} GB, {spent:.1f} s, peak {resident:.0f} MB")


if __name__ == "__main__":
    main()
