"""Types of real models: held against what ONNX Runtime computes, and found again after edits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import onnx
import pytest

from gopt import ops
from gopt.analysis import forget, infer
from gopt.frontends.onnx import load
from gopt.ir import DType, Model, TensorType, Value
from gopt.verify.flow import Facts
from gopt.verify.inputs import feed, specs
from gopt.verify.sizes import Search, variables

from ..ops.nodecases import Bindings, contradiction


@pytest.mark.models
@pytest.mark.slow
def test_no_array_contradicts_its_type(model_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    proto = onnx.load(model_path)
    inputs = specs(proto, Facts(proto))
    declared = {o.name for o in proto.graph.output}
    results = {name: None for node in proto.graph.node for name in node.output if name and name not in declared}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in results)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    model = load(model_path)
    infer(model)
    values = {value.name: value for value in model.graph.values}
    wrong: list[str] = []

    def attempt(sizes: dict[str, int]) -> bool:
        given = feed(inputs, sizes, 0)
        try:
            found = session.run(None, given)
        except Exception:
            return False
        bound: Bindings = {}
        arrays = [*given.items(), *zip((o.name for o in session.get_outputs()), found)]
        for name, array in arrays:
            if name in values and (what := contradiction(values[name].type, array, bound)):
                wrong.append(f"{name}: {what}")
        return True

    search = Search(variables(inputs, {}), {}, attempt, 100)
    first = search.first()
    assert first is not None, "no input that runs was found"
    search.second(first)
    assert not wrong


def _types(model: Model) -> dict[Value, Any]:
    """Types of all values, unknown sizes without identity."""
    found: dict[Value, Any] = {}
    for graph in model.graphs():
        for value in graph.values:
            type_ = value.type
            found[value] = type_
            if isinstance(type_, TensorType) and type_.shape is not None:
                found[value] = (type_.dtype, [d if isinstance(d, int) else "?" for d in type_.shape])
    return found


@pytest.mark.models
def test_types_after_edits_are_those_that_a_whole_sweep_finds(model_path: Path) -> None:
    rng = random.Random(7)
    model = load(model_path)
    infer(model)
    for _ in range(3):
        graph = rng.choice([g for g in model.graphs() if len(g)])
        for op in rng.sample(graph.ops, min(3, len(graph))):
            first = op.input(0)
            if first is None or first.type is None or op.bodies:
                continue
            made = rng.choice(
                [
                    ops.make("Cast", [first], {"to": DType.DOUBLE}, opsets=graph.opsets),
                    ops.make("Unsqueeze", [first, [0]], opsets=graph.opsets),
                    ops.make("Identity", [first], opsets=graph.opsets),
                ]
            )
            graph.add(made)
            graph.set_operand(op, 0, made.result)
        infer(model)
    found = _types(model)
    forget(model)
    infer(model)
    assert _types(model) == found
