"""`npu.quantized`: what is rounded to 8 bits between floats, in floats."""

from __future__ import annotations

import pytest

from gopt.frontends.text import parse
from gopt.passes import run_pipeline
from gopt.rewrite import Context

from .test_npu import ops, outputs, rewritten


def model(kind: str = "int8", zero: int = 0, back: float = 0.125, other: int | None = None) -> str:
    return (
        f"g (float[2,8] x) => (float[2,8] y) <float s = {{0.125}}, {kind} z = {{{zero}}}, float t = {{{back}}}, "
        f"{kind} v = {{{zero if other is None else other}}}> "
        "{ q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, t, v) }"
    )


@pytest.mark.parametrize(("kind", "zero"), [("int8", 0), ("int8", -128), ("int8", 5), ("uint8", 0), ("uint8", 128)])
def test_a_pair_keeps_its_levels(kind: str, zero: int) -> None:
    assert ops(model(kind, zero)) == ["Div", "Round", "Clip", "Mul"]


def test_a_pair_without_a_zero_point_is_unsigned() -> None:
    graph = (
        "g (float[2,8] x) => (float[2,8] y) <float s = {0.125}> { q = QuantizeLinear(x, s) y = DequantizeLinear(q, s) }"
    )
    assert ops(graph) == ["Div", "Round", "Clip", "Mul"]


def test_what_saturates_saturates_at_the_same_numbers() -> None:
    graph = (
        model()
        .replace("q = ", "w = Mul(x, big) q = ")
        .replace("Linear(x", "Linear(w")
        .replace("float s = {0.125}", "float s = {0.125}, float big = {100}")
    )
    assert ops(graph) == ["Mul", "Div", "Round", "Clip", "Mul"]


@pytest.mark.parametrize("graph", [model(back=0.25), model(other=1)])
def test_what_is_brought_back_otherwise_stays(graph: str) -> None:
    assert ops(graph) == ["QuantizeLinear", "DequantizeLinear"]


def test_scales_of_many_channels_stay() -> None:
    graph = (
        "g (float[2,2] x) => (float[2,2] y) <float[2] s = {0.5, 0.25}, int8[2] z = {0, 0}> "
        "{ q = QuantizeLinear<axis = 1>(x, s, z) y = DequantizeLinear<axis = 1>(q, s, z) }"
    )
    assert ops(graph) == ["QuantizeLinear", "DequantizeLinear"]


@pytest.mark.parametrize(
    ("constants", "call"),
    [
        ("int8[2,3] w = {1,-2,3,4,-128,127}, float s = {0.5}, int8 z = {3}", "DequantizeLinear(w, s, z)"),
        ("uint8[2,3] w = {1,2,3,4,0,255}, float s = {0.5}", "DequantizeLinear(w, s)"),
        ("int8[2,3] w = {1,2,3,4,5,6}, float[2] s = {0.5,2}, int8[2] z = {0,1}", "DequantizeLinear<axis = 0>(w, s, z)"),
        (
            "int8[2,3] w = {1,2,3,4,5,6}, float[3] s = {0.5,2,1}, int8[3] z = {0,1,2}",
            "DequantizeLinear<axis = -1>(w, s, z)",
        ),
        ("int32[2,3] w = {1,2,300000,4,5,6}, float s = {0.5}", "DequantizeLinear(w, s)"),
    ],
)
def test_weights_become_floats(constants: str, call: str) -> None:
    graph = f"g (float[2,3] x) => (float[2,3] y) <{constants}> {{ v = {call} y = Add(x, v) }}"
    assert ops(graph) == ["Add"]


def test_as_it_was_meant_it_is_clipped_alone() -> None:
    text = f'<ir_version: 8, opset_import: ["" : 18]>\n{model()}'
    meant = parse(text)
    before = outputs(meant)
    run_pipeline(meant, "npu.quantized.floats", Context(meant))
    assert [op.op_type for op in meant.graph.ops] == ["Clip"]
    assert abs(before[0] - outputs(meant)[0]).max() <= 0.125 / 2 + 1e-6


def test_it_is_made_so_only_when_named() -> None:
    assert "Round" in [op.op_type for op in rewritten(model()).graph.ops]
