"""Every rule applies in the bodies of control flow and in local functions as it does outside of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import onnx
import pytest
from onnx import helper, parser

from gopt.frontends.onnx import load
from gopt.passes import list_passes, run_pipeline
from gopt.passes.registry import PassInfo
from gopt.rewrite import Context

Wrap = Callable[[onnx.ModelProto], onnx.ModelProto]


def rules() -> Iterator[PassInfo]:
    return (info for info in list_passes() if info.kind == "rule" and info.example)


def fires(info: PassInfo, proto: onnx.ModelProto) -> bool:
    model = load(proto.SerializeToString())
    ctx = Context(model)
    run_pipeline(model, info.name, ctx)
    return any(entry.rule == info.name for entry in ctx.ledger.entries)


def in_branches(model: onnx.ModelProto, captured: bool = False) -> onnx.ModelProto:
    """The graph as both branches of an If; its constants inside, or `captured`."""
    graph = model.graph
    constants = list(graph.initializer)
    bodies = [
        helper.make_graph(list(graph.node), name, [], list(graph.output), [] if captured else constants)
        for name in ("then_branch", "else_branch")
    ]
    outputs = [helper.make_tensor_value_info(f"o_{o.name}", o.type.tensor_type.elem_type, None) for o in graph.output]
    names = [o.name for o in outputs]
    node = helper.make_node("If", ["choice"], names, then_branch=bodies[0], else_branch=bodies[1])
    inputs = [*graph.input, helper.make_tensor_value_info("choice", onnx.TensorProto.BOOL, [])]
    outer = helper.make_graph([node], "outer", inputs, outputs, constants if captured else [])
    return helper.make_model(outer, opset_imports=model.opset_import, ir_version=model.ir_version)


def in_branches_around(model: onnx.ModelProto) -> onnx.ModelProto:
    return in_branches(model, captured=True)


def in_function(model: onnx.ModelProto) -> onnx.ModelProto:
    graph = model.graph
    constants = [helper.make_node("Constant", [], [t.name], value=t) for t in graph.initializer]
    inputs, outputs = [v.name for v in graph.input], [v.name for v in graph.output]
    function = helper.make_function("f", "g", inputs, outputs, [*constants, *graph.node], list(model.opset_import))
    call = helper.make_node("g", inputs, outputs, domain="f")
    outer = helper.make_graph([call], "outer", list(graph.input), list(graph.output))
    opsets = [*model.opset_import, helper.make_opsetid("f", 1)]
    return helper.make_model(outer, opset_imports=opsets, ir_version=9, functions=[function])


@pytest.mark.parametrize("wrap", [in_branches, in_branches_around, in_function])
def test_rules_fire_inside(wrap: Wrap) -> None:
    models = [(info, parser.parse_model(info.example)) for info in rules()]
    assert [info.name for info, model in models if not fires(info, wrap(model))] == []
