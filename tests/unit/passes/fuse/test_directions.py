"""`fuse.directions`: two layers over one sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from gopt.frontends.onnx import load, to_bytes
from gopt.ir.check import check
from gopt.passes import run_pipeline
from gopt.rewrite import Context
from tests.unit.passes.clean.rewriting import Rewritten, compare, make_feeds

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
BIASES = {"LSTM": 8, "GRU": 6, "RNN": 2}


def merge(
    body: str, results: str, cell: str = "LSTM", passes: str = "(fuse.directions,clean)*", **more: Any
) -> Rewritten:
    rng = np.random.default_rng(0)
    k, h = GATES[cell], 2
    constants = {f"w{d}": rng.normal(size=(1, k * h, 3)) for d in "fr"}
    constants |= {f"r{d}": rng.normal(size=(1, k * h, h)) for d in "fr"}
    constants |= {f"b{d}": rng.normal(size=(1, BIASES[cell] * h)) for d in "fr"}
    constants |= {f"h{d}": rng.normal(size=(1, 2, h)) for d in "fr"}
    constants |= {f"p{d}": rng.normal(size=(1, 3 * h)) for d in "fr"}
    outputs = ", ".join(f"float[] {name}" for name in results.split())
    text = f"""<ir_version: 8, opset_import: ["": 17]> g (float[L,2,3] x, float[L,2,3] z, int32[2] n) => ({outputs})
        <int64[1] zero = {{0}}, int64[1] one = {{1}}> {{ {body} }}"""
    proto = onnx.parser.parse_model(text)
    for name, array in {**constants, **more}.items():
        proto.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array, "f"), name))
    for output in proto.graph.output:
        output.type.tensor_type.ClearField("shape")
    before = proto.SerializeToString()
    model = load(before)
    ctx = Context(model)
    run_pipeline(model, passes, ctx)
    check(model)
    feeds = make_feeds(proto, finite=True) | {"n": np.array([2, 1], np.int32)}
    for length in (1, 3):
        sized = {name: rng.normal(size=(length, 2, 3)).astype("f") for name in ("x", "z")}
        sized["n"] = np.minimum(feeds["n"], length)
        compare(before, to_bytes(model), sized, max((e.numerics for e in ctx.ledger.entries), default=0))  # type: ignore[type-var]
    return Rewritten(model, ctx, {})


def pair(cell: str = "LSTM", rest: str = "", forward: str = "y1", reverse: str = "y2", operands: str = "") -> str:
    extra = operands.replace("@", "f"), operands.replace("@", "r")
    return f"""{forward} = {cell}<hidden_size=2>(x, wf, rf{extra[0]})
        {reverse} = {cell}<hidden_size=2, direction="reverse">(x, wr, rr{extra[1]}) {rest}"""


SQUEEZED = "s1 = Squeeze(y1, one) s2 = Squeeze(y2, one) y = Concat<axis=-1>(s1, s2)"


@pytest.mark.parametrize("cell", GATES)
def test_results_joined_after_squeezing(cell: str) -> None:
    done = merge(pair(cell, SQUEEZED, operands=", b@"), "y", cell)
    assert done.ops == [cell, "Transpose", "Reshape"]
    assert done.op(cell).attr("direction") == "bidirectional"


def test_results_joined_along_the_directions() -> None:
    assert merge(pair(rest="y = Concat<axis=1>(y1, y2)"), "y").ops == ["LSTM"]


def test_last_states() -> None:
    body = pair(
        forward='"", h1, c1',
        reverse='"", h2, c2',
        rest="""h = Concat<axis=0>(h1, h2) s1 = Squeeze(c1, zero) s2 = Squeeze(c2, zero) c = Concat<axis=1>(s1, s2)""",
    )
    assert merge(body, "h c").ops == ["LSTM", "Transpose", "Reshape"]


def test_all_operands() -> None:
    body = pair(rest=SQUEEZED, operands=", b@, n, h@, h@, p@")
    done = merge(body, "y")
    assert done.op("LSTM").inputs[4] is done.model.graph.inputs[2]
    assert len(done.op("LSTM").inputs) == 8


def test_a_bias_of_one_alone() -> None:
    body = f"""y1 = LSTM<hidden_size=2>(x, wf, rf)
        y2 = LSTM<hidden_size=2, direction="reverse">(x, wr, rr, br) {SQUEEZED}"""
    assert merge(body, "y").ops == ["LSTM", "Transpose", "Reshape"]


def test_activations() -> None:
    body = f"""y1 = RNN<hidden_size=2, activations=["Relu"]>(x, wf, rf)
        y2 = RNN<hidden_size=2, direction="reverse">(x, wr, rr) {SQUEEZED}"""
    done = merge(body, "y", "RNN")
    assert done.op("RNN").attr("activations") == ("Relu", "Tanh")


def test_the_other_results_are_split_where_that_pays() -> None:
    body = pair(forward="y1, h1, c1", reverse="y2, h2, c2", rest=f"{SQUEEZED} h = Concat<axis=0>(h1, h2)")
    done = merge(body, "y h c1")
    assert sorted(done.ops) == ["LSTM", "Reshape", "Split", "Transpose"]


@pytest.mark.parametrize(
    "body",
    [
        pair(rest="y = Concat<axis=1>(y2, y1)"),
        pair(rest="a = Neg(y1) y = Add(a, y2)"),
        pair(rest=SQUEEZED).replace("LSTM<hidden_size=2>(x", "LSTM<hidden_size=2>(z"),
        pair(rest=SQUEEZED).replace(', direction="reverse"', ""),
        pair(rest=SQUEEZED).replace("rr)", 'rr, "", n)'),
        pair(rest=SQUEEZED).replace('direction="reverse"', 'direction="reverse", clip=1.0'),
        "k = Add(wf, wf) " + pair(rest=SQUEEZED).replace("(x, wf", "(x, k"),
    ],
)
def test_what_stays(body: str) -> None:
    assert merge(body, "y", passes="fuse.directions").fired == []
