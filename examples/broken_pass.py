"""A wrong rule, on purpose: what gopt does about one.

    gopt test-pass examples/broken_pass.py                                       # random models show that it is wrong
    gopt run --plugin examples/broken_pass.py --passes broken_pass,@default model.onnx       # it is found, and left out
    gopt bisect --plugin examples/broken_pass.py --passes broken_pass,@default model.onnx    # only found

Its mistake is an honest one: Relu looks linear, and is not. Types and shapes are right, so nothing but the numbers can
tell: Relu(2 + -3) is 0, Relu(2) + Relu(-3) is 2.
"""

from __future__ import annotations

from typing import Any

from gopt import Numerics, P, Rewriter, rule


@rule(P.Relu(P.Add("x", "y")), numerics=Numerics.ROUNDING)
def distribute(rw: Rewriter, x: Any, y: Any) -> Any:
    """Relu(x + y) -> Relu(x) + Relu(y), which is wrong"""
    return rw.Add(rw.Relu(x), rw.Relu(y))
