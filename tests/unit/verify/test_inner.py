"""Candidates that take and give what the original computes on its way."""

from __future__ import annotations

from typing import Any

import pytest

from gopt.verify import Status, Verification, Verifier

TEXT = "g (float[N,4] x, bool c) => (float[N,4] y, float[N,4] z) <float[4] w = {1,2,3,4}> {%s}"
WHOLE = "a = Mul(x, w) b = Relu(a) y = Sin(b) z = Where(c, a, b)"


@pytest.fixture
def judged(save: Any) -> Any:
    def judge(candidate: str) -> Verification:
        original = save(TEXT % WHOLE)
        with Verifier.start(original, new_interface=True) as verifier:
            result: Verification = verifier.check(save(candidate, "candidate.onnx"), exact=True)
            return result

    return judge


W = "<float[4] w = {1,2,3,4}>"
RIGHT = {
    "more outputs": f"g (float[N,4] x, bool c) => (float[N,4] y, float[N,4] z, float[N,4] b) {W} {{{WHOLE}}}",
    "a part": "g (float[N,4] b) => (float[N,4] y) { y = Sin(b) }",
    "from an output": f"g (float[N,4] x, float[N,4] z) => (float[N,4] a) {W} {{ n = Neg(z) a = Mul(x, w) }}",
    "from a constant": "g (float[N,4] x, float[4] w) => (float[N,4] a) { a = Mul(x, w) }",
}
WRONG = {
    "another output": "g (float[N,4] b) => (float[N,4] y) { y = Cos(b) }",
    "another inner value": f"g (float[N,4] x) => (float[N,4] a) {W} {{ a = Add(x, w) }}",
    "another type": "g (double[N,4] x) => (double[N,4] b) { b = Relu(x) }",
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_it_takes_is_computed_by_the_original(name: str, judged: Any) -> None:
    found = judged(RIGHT[name])
    assert found.ok, found.summary()


@pytest.mark.parametrize("name", WRONG)
def test_a_difference_is_seen(name: str, judged: Any) -> None:
    assert judged(WRONG[name]).status is Status.FAILED


def test_what_the_original_lacks_is_said(judged: Any) -> None:
    found = judged("g (float[N,4] b) => (float[N,4] y, float[N,4] new) { y = Sin(b) new = Cos(b) }")
    assert found.ok
    assert "output 'new' was not compared: the original computes nothing of that name" in found.notes
    found = judged("g (float[N,4] odd) => (float[N,4] y) { y = Sin(odd) }")
    assert found.status is Status.UNVERIFIED
    assert "computes no 'odd'" in found.reason
    found = judged("g (float[N,4] b) => (float[N,4] new) { new = Cos(b) }")
    assert found.status is Status.UNVERIFIED
