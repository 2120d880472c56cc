"""`lower.recurrent`: states of layers in branches."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.passes.clean.rewriting import Rewritten, rewrite

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def layer(
    kind: str, direction: str, wanted: str, *, both: bool = False, steps: str = "4", more: str = "", branch: bool = True
) -> Rewritten:
    count = 2 if direction == "bidirectional" else 1
    size = GATES[kind] * 2
    state = f"float[{count},2,2]"
    call = f'{kind}<hidden_size = 2, direction = "{direction}"{more}>'
    results = {"h": "z, p", "c": "z, h, p", "all": "y, p"}[wanted]
    used = "m = ReduceSum<keepdims = 0>(y) u = Mul(p, m)" if both else "u = Neg(p)"
    weights = f"float[{count},{size},3] w, float[{count},{size},2] r"
    head = f"(bool c, float[{steps},2,3] x, {weights}, {state} e) => ({state} o)"
    inner = f"{results} = {call}(x, w, r) {used}"
    if not branch:
        return rewrite(f"{head} {{ {inner} o = Neg(u) }}", "lower.recurrent")
    text = f"""{head} {{ o = If(c) <then_branch = a () => ({state} u) {{ {inner} }},
    else_branch = b () => ({state} v) {{ v = Neg(e) }}> }}"""
    return rewrite(text, "lower.recurrent", sizes={"c": np.array(True)})


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", GATES)
def test_the_last_state_is_taken_from_all_of_them(kind: str, direction: str) -> None:
    done = layer(kind, direction, "h")
    assert done.fired == ["recurrent.last_state"]
    states = done.op(kind).outputs
    assert states[0] is not None
    assert states[0].is_needed
    assert all(v is None or not v.is_needed for v in states[1:])


def test_what_is_left() -> None:
    assert layer("LSTM", "forward", "h", branch=False).fired == []
    assert layer("LSTM", "forward", "all", both=True).fired == []
    assert layer("LSTM", "forward", "c").fired == []
