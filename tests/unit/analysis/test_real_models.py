"""Types of real models, held against what ONNX Runtime computes for every value of the main graph."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from gopt.analysis import infer
from gopt.frontends.onnx import load
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
