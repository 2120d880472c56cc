"""Measures where the toolkit puts each operator: ONNX's own backend cases, a few per operator, each converted alone.

The tables that gopt ships (`placement.json`) are written by this; with a new toolkit they are written anew.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import ops
from .child import essence, work
from .environment import Environment
from .log import read
from .placement import CPU, FAILS, NO_KERNEL, NONE, NPU, REFUSED
from .platforms import FP16, INT8, OPSETS, PLATFORMS

PER_OP = 6
"""Cases per operator: those whose data have the most dims, as those of networks do."""
_PROBE = "gopt_probe"
"""Names of a convolution beside each op: a model with nothing for the NPU is compiled in another way."""
_SECONDS = 20.0
_IR_VERSION = 10
# Where an operator's results can end up, the best first: what works in one case works.
_ORDER = (NPU, CPU, NONE, REFUSED, FAILS)
# Operators whose cases in the package are written as no exporter writes them.
_OWN = {
    "LSTM": """a (float[8,1,16] x) => (float[8,1,1,16] y) <float[1,64,16] w, float[1,64,16] r, float[1,128] b>
        { y = LSTM<hidden_size = 16>(x, w, r, b) }""",
    "GRU": """a (float[8,1,16] x) => (float[8,1,1,16] y) <float[1,48,16] w, float[1,48,16] r, float[1,96] b>
        { y = GRU<hidden_size = 16, linear_before_reset = 1>(x, w, r, b) }""",
    "RNN": """a (float[8,1,16] x) => (float[8,1,1,16] y) <float[1,16,16] w, float[1,16,16] r, float[1,32] b>
        { y = RNN<hidden_size = 16>(x, w, r, b) }""",
    "LayerNormalization": """a (float[1,8,16] x) => (float[1,8,16] y) <float[16] s, float[16] b>
        { y = LayerNormalization<axis = -1, epsilon = 0.00001>(x, s, b) }""",
    "Cast": """a (float[1,8,16,16] x) => (float[1,8,16,16] y) { i = Cast<to = 7>(x) y = Cast<to = 1>(i) }""",
    "PRelu": """a (float[1,8,16,16] x) => (float[1,8,16,16] y) <float[8,1,1] s> { y = PRelu(x, s) }""",
    "Shape": """a (float[1,8,16,16] x) => (int64[4] y) { y = Shape(x) }""",
    "MaxPool": """a (float[1,8,16,16] x) => (float[1,8,8,8] y)
        { y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x) }""",
    "ConvTranspose": """a (float[1,8,16,16] x) => (float[1,8,32,32] y) <float[8,8,2,2] w>
        { y = ConvTranspose<kernel_shape = [2, 2], strides = [2, 2]>(x, w) }""",
    "BatchNormalization": """a (float[1,4,8,8] x) => (float[1,4,8,8] y) <float[4] s, float[4] b, float[4] m, float[4] v>
        { y = BatchNormalization<epsilon = 0.00001>(x, s, b, m, v) }""",
    "Gemm": """a (float[1,16] x) => (float[1,8] y) <float[16,8] w, float[8] b> { y = Gemm(x, w, b) }""",
    "Where": """a (float[1,8,16,16] x, float[1,8,16,16] z) => (float[1,8,16,16] y)
        { c = Greater(x, z) y = Where(c, x, z) }""",
}
# What the toolkit adds around an op by itself tells nothing about the op.
_AROUND = {"InputOperator", "OutputOperator", "Reshape", "Transpose", "exDataConvert", "DataConvert"}


@dataclass(frozen=True, slots=True)
class Case:
    """A model of one op."""

    op: str
    name: str
    model: Any


def cases() -> Iterator[Case]:
    """A few models per operator, from the cases that the package onnx carries."""
    from onnx.backend.test.loader import load_model_tests

    found: dict[str, list[tuple[tuple[int, int], Case]]] = defaultdict(list)
    for test in load_model_tests(kind="node"):
        made = _sample(Path(str(test.model_dir)), test.name)
        if made is not None:
            rank, case = made
            found[case.op].append(((-rank, len(case.name)), case))
    for op, text in _OWN.items():
        found[op].append(((-9, 0), Case(op, f"own_{op.lower()}", _own(text))))
    for op in sorted(found):
        yield from (case for _, case in sorted(found[op], key=lambda pair: pair[0])[:PER_OP])


def _sample(folder: Path, name: str) -> tuple[int, Case] | None:
    """A case as the toolkit might be given it, data coming in and all else constant; with the rank of the data."""
    import onnx
    from onnx import TensorProto, checker, numpy_helper

    model = onnx.load(folder / "model.onnx")
    graph = model.graph
    if len(graph.node) != 1 or graph.node[0].domain not in ("", "ai.onnx"):
        return None
    node = graph.node[0]
    kept: list[Any] = []
    baked: list[Any] = []
    for number, info in enumerate(graph.input):
        kind = info.type.tensor_type
        rank = len(kind.shape.dim)
        if not info.type.HasField("tensor_type"):
            return None
        # Data come in; weights, axes, shapes and the like are constants, but elementwise ops take two kinds of data.
        first = kind.elem_type == TensorProto.FLOAT and rank and (not kept or _elementwise(node.op_type))
        if first:
            kept.append(info)
            continue
        file = folder / "test_data_set_0" / f"input_{number}.pb"
        if not file.exists():
            return None
        tensor = TensorProto()
        tensor.ParseFromString(file.read_bytes())
        array = numpy_helper.to_array(tensor)
        baked.append(numpy_helper.from_array(array, info.name))
    if not kept or any(d.dim_value <= 0 for i in kept for d in i.type.tensor_type.shape.dim):
        return None
    if any(not name for name in (*node.input, *node.output)):
        return None
    rank = max(len(i.type.tensor_type.shape.dim) for i in kept)
    del graph.input[:]
    graph.input.extend(kept)
    graph.initializer.extend(baked)
    for opset in model.opset_import:
        opset.version = min(opset.version, OPSETS[1])
    _beside(graph)
    model.ir_version = min(model.ir_version, _IR_VERSION)
    try:
        checker.check_model(model)
    except Exception:  # the operator, or this way to write it, is newer than what the toolkit reads
        return None
    return rank, Case(node.op_type, name, model)


def _own(text: str) -> Any:
    """A case of ours: initializers that have no data get random ones."""
    import numpy as np
    from onnx import helper, numpy_helper, parser

    graph = parser.parse_graph(text)
    rng = np.random.default_rng(0)
    for info in [i for i in graph.value_info if not any(i.name in node.output for node in graph.node)]:
        shape = [d.dim_value for d in info.type.tensor_type.shape.dim]
        array = rng.uniform(0.1, 0.5, shape).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(array, info.name))
        graph.value_info.remove(info)
    _beside(graph)
    imports = [helper.make_opsetid("", OPSETS[1])]
    return helper.make_model(graph, opset_imports=imports, ir_version=_IR_VERSION)


def _beside(graph: Any) -> None:
    """Put a convolution beside the op."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weight = np.ones((8, 8, 1, 1), np.float32)
    image = [1, 8, 8, 8]
    graph.input.append(helper.make_tensor_value_info(_PROBE, TensorProto.FLOAT, image))
    graph.initializer.append(numpy_helper.from_array(weight, f"{_PROBE}_w"))
    graph.node.append(helper.make_node("Conv", [_PROBE, f"{_PROBE}_w"], [f"{_PROBE}_y"], name=_PROBE))
    graph.output.append(helper.make_tensor_value_info(f"{_PROBE}_y", TensorProto.FLOAT, image))


def survey(
    environment: Environment, platform: str, *, tell: Callable[[str], None] | None = None
) -> dict[str, list[str]]:
    """Convert all cases for a platform.

    Returns:
        Operator -> where it ends up, and what the toolkit said where that is nowhere.

    Raises:
        Crash: the toolkit does not start.
    """
    dtype = FP16 if FP16 in PLATFORMS[platform].dtypes else INT8
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="gopt-rknn-survey-") as name:
        place = Path(name)
        listed = list(cases())
        jobs = [_written(case, place, number, dtype) for number, case in enumerate(listed)]
        if tell is not None:
            tell(f"{len(jobs)} small models for {platform}")
        build = {"do_quantization": dtype == INT8}
        job = {
            "do": "survey",
            "config": {"target_platform": platform},
            "build": build,
            "cases": jobs,
            "seconds": _SECONDS,
        }
        events, _ = work(environment, job, place, timeout=_SECONDS * len(jobs))
        ended = {event["case"]: event["status"] for event in events if "case" in event}
        for case, written in zip(listed, jobs):
            log = Path(written["log"]).read_text(encoding="utf-8", errors="replace")
            found[case.op].append(_judge(case.op, ended.get(case.name, -9), log))
    return {op: _best(seen) for op, seen in sorted(found.items())}


def _written(case: Case, place: Path, number: int, dtype: str) -> dict[str, str]:
    import onnx

    model = place / f"{number}.onnx"
    onnx.save(case.model, model)
    found = {"name": case.name, "model": str(model), "log": str(place / f"{number}.log")}
    if dtype == INT8:
        found["dataset"] = str(_calibration(case.model, place, number))
    return found


def _calibration(model: Any, place: Path, number: int) -> Path:
    """A calibration set of one random sample."""
    import numpy as np

    rng = np.random.default_rng(number)
    files = []
    for k, info in enumerate(model.graph.input):
        file = place / f"{number}_{k}.npy"
        np.save(file, rng.uniform(0.1, 0.9, [d.dim_value for d in info.type.tensor_type.shape.dim]).astype(np.float32))
        files.append(str(file))
    listed = place / f"{number}.txt"
    listed.write_text(" ".join(files) + "\n", encoding="utf-8")
    return listed


def _judge(op: str, status: int | None, text: str) -> tuple[str, str]:
    """Where the op of a case ended up, and why if nowhere."""
    if status is None:
        return FAILS, f"no end within {_SECONDS:g} s"
    if status < 0:
        return FAILS, f"signal {-status}"
    if status > 0:
        return REFUSED, essence("", text)
    log = read(text)
    if log.no_kernel:
        return NONE, log.no_kernel[0]
    if op in NO_KERNEL:
        return NONE, ""
    own = [layer for layer in log.layers if _PROBE not in layer.name]
    layers = [layer for layer in own if layer.type not in _AROUND] or own
    return (CPU if any(layer.target != "NPU" for layer in layers) else NPU), ""


def _best(seen: list[tuple[str, str]]) -> list[str]:
    where, why = min(seen, key=lambda pair: _ORDER.index(pair[0]))
    return [where, why] if why else [where]


def merged(before: Mapping[str, Any], platform: str, table: dict[str, list[str]], toolkit: str) -> dict[str, Any]:
    """The file of tables with one of them new."""
    platforms = {**before.get("platforms", {}), platform: table}
    return {
        "toolkit": toolkit,
        "alike": before.get("alike", {}),
        "platforms": {name: platforms[name] for name in PLATFORMS if name in platforms},
    }


def _elementwise(op_type: str) -> bool:
    known = ops.find(op_type)
    return known is not None and known.elementwise


def write(tables: Mapping[str, Any], path: Path) -> None:
    """Write the file of tables, an operator a line."""
    lines = ["{", f' "toolkit": {json.dumps(tables["toolkit"])},', f' "alike": {json.dumps(tables["alike"])},']
    lines.append(' "platforms": {')
    for number, (platform, table) in enumerate(tables["platforms"].items()):
        rows = [f"   {json.dumps(op)}: {json.dumps(entry)}" for op, entry in table.items()]
        end = "," if number < len(tables["platforms"]) - 1 else ""
        lines += [f"  {json.dumps(platform)}: {{", ",\n".join(rows), f"  }}{end}"]
    path.write_text("\n".join([*lines, " }", "}"]) + "\n", encoding="utf-8")


def counts(table: Mapping[str, list[str]]) -> dict[str, int]:
    """How many operators end up where."""
    found = Counter(entry[0] for entry in table.values())
    return {where: found[where] for where in _ORDER if found[where]}
