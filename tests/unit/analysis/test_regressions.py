"""Types that once were claimed and did not hold."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.passes.clean.rewriting import rewrite


@pytest.mark.parametrize("count", [3, 9, 12])
def test_a_size_that_is_passed_on_from_state_to_state_is_not_known(count: int) -> None:
    """Each turn of inference finds one more state that grows; it gave up after some, believing the rest."""
    inputs = ", ".join(f"float[I{k}] s{k}" for k in range(count))
    outputs = ", ".join(f"float[O{k}] t{k}" for k in range(count))
    passed = " ".join(f"t{k} = Identity(s{k - 1})" for k in range(1, count))
    text = f"""(float[2] x) => (int64[1] y, int64[Z,1] z) <int64 m = {{{count + 3}}}> {{
        {", ".join(f"o{k}" for k in range(count))}, z = Loop(m, , {", ".join(["x"] * count)}) <
            body = b (int64 i, bool c, {inputs}) => (bool d, {outputs}, int64[1] n) <float[1] one = {{1}}> {{
                d = Identity(c) t0 = Concat<axis = 0>(s0, one) {passed} n = Shape(s{count - 1}) }}>
        y = Shape(o{count - 1})
    }}"""
    done = rewrite(text, "fold")
    assert done.outputs["y"].tolist() == [2 + 3 + 1]
    assert np.ptp(done.outputs["z"]) == 3


def test_a_slope_may_enlarge_the_result_of_prelu() -> None:
    """By the operator's clause it must not; ONNX Runtime lets both operands broadcast."""
    text = "(float[2,1] x) => (float[N,M] y, int64[2] n) <float[3] s = {1, 2, 3}> { y = PRelu(x, s) n = Shape(y) }"
    assert rewrite(text, "fold").outputs["n"].tolist() == [2, 3]
