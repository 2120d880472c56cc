"""What inference knows of shapes, and how many nodes that compute shapes are left.

    python benchmarks/bench_shapes.py FOLDER [--others FOLDER_OF_RESULTS...] [--passes @default]

For each model: values of known rank and of static shape as loaded; nodes that compute shapes (Shape, Size, and integer
or boolean results of what depends on them) before and after the passes, and in files of the same name in other folders,
for instance the results of other tools.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import gopt
from gopt.analysis import infer
from gopt.api import apply
from gopt.ir import DType, Model, Op, TensorType, Value, static_shape

_NUMBERS = (DType.INT64, DType.INT32, DType.BOOL)
_MOVES = ("Reshape", "Expand")  # their first operand says whether they compute shapes


def shape_ops(model: Model) -> list[Op]:
    """Shape and Size, and ops whose results are integers or booleans and depend on those."""
    found: list[Op] = []
    for graph in model.graphs():
        reached: set[Value] = set()
        for op in graph.ops:
            operands = op.inputs[:1] if op.op_type in _MOVES else op.inputs
            if op.op_type in ("Shape", "Size") or (
                any(v in reached for v in operands if v is not None)
                and all(type(v.type) is TensorType and v.type.dtype in _NUMBERS for v in op.outputs if v is not None)
            ):
                found.append(op)
                reached.update(v for v in op.outputs if v is not None)
    return found


def known(model: Model) -> tuple[int, int, int]:
    """Numbers of results, of those of known rank, and of those of static shape."""
    values = [v for graph in model.graphs() for op in graph.ops for v in op.outputs if v is not None]
    types = [v.type for v in values]
    ranked = sum(t is not None and (type(t) is not TensorType or t.shape is not None) for t in types)
    return len(values), ranked, sum(t is not None and static_shape(t) is not None for t in types)


def count(path: Path) -> int | None:
    """Nodes that compute shapes in a file, None if there is no such file."""
    if not path.is_file():
        return None
    model = gopt.load(path)
    infer(model)
    return len(shape_ops(model))


def main() -> None:
    """Print a line a model, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("GOPT_MODELS"))
    parser.add_argument("--others", nargs="*", type=Path, default=[])
    parser.add_argument("--passes", default="@default")
    args = parser.parse_args()
    if args.folder is None:
        print("no models: name a folder of them, or set GOPT_MODELS")
        return
    totals = [0, 0, 0]
    print(f"{'model':48} values  ranked  static     ms  shape nodes: before, after", *(f.name for f in args.others))
    for path in sorted(args.folder.glob("*.onnx")):
        model = gopt.load(path)
        start = time.process_time()
        infer(model)
        spent = (time.process_time() - start) * 1e3
        numbers = known(model)
        totals = [a + b for a, b in zip(totals, numbers, strict=True)]
        before = len(shape_ops(model))
        apply(model, args.passes)
        infer(model)
        after, others = len(shape_ops(model)), [count(f / path.name) for f in args.others]
        shares = [n / max(numbers[0], 1) for n in numbers[1:]]
        flag = "  MORE" if any(o is not None and o < after for o in others) else ""
        print(
            f"{path.name[:48]:48} {numbers[0]:6} {shares[0]:7.3f} {shares[1]:7.3f} {spent:6.1f}",
            before,
            after,
            *others,
            flag,
        )
    print("all", totals[0], *(f"{n / max(totals[0], 1):.4f}" for n in totals[1:]))


if __name__ == "__main__":
    main()
