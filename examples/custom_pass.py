"""A rule and a pass of your own.

    gopt run --plugin examples/custom_pass.py --passes custom_pass,@default model.onnx
    gopt run --plugin examples/custom_pass.py --passes custom_pass.bypass:types=Trace+Print model.onnx
    gopt test-pass examples/custom_pass.py
    python examples/custom_pass.py model.onnx

Their names come from this file's and their own: `custom_pass.hard_swish` and `custom_pass.bypass`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import gopt
from gopt import Context, Model, Numerics, P, Pass, Rewriter, option, register, rule


@rule(P.Mul("x", P.HardSigmoid("x", alpha=1 / 6, beta=0.5)), numerics=Numerics.ROUNDING)
def hard_swish(rw: Rewriter, x: Any) -> Any:
    """x * HardSigmoid(x; 1/6, 1/2) -> HardSwish(x)

    Where opset 14 or newer is imported; gopt sees to that by itself, as HardSwish came with it. Rounds once less.
    """
    return rw.HardSwish(x)


@register
@dataclass(frozen=True)
class Bypass(Pass):
    """Take out operators that hand on their first operand as it is, such as a vendor's markers."""

    types: tuple[str, ...] = option(help="operator types, whatever their domain")

    def run(self, model: Model, ctx: Context) -> None:
        """Replace each result by the operand; the context refuses what would not be legal, and keeps the books."""
        for graph in model.graphs():
            for op in graph.ops:
                if op.op_type in self.types and len(op.outputs) == 1 and op.inputs[0] is not None:
                    ctx.replace(self.name, {op.result: op.inputs[0]})


def main() -> None:
    """Run the rule, then what `gopt run` does by default, from Python."""
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/custom_pass.py MODEL.onnx")
    path = sys.argv[1]
    result = gopt.run(path, [hard_swish, "@default"], output=path.removesuffix(".onnx") + ".opt.onnx")
    for entry in result.ledger.entries:
        print(entry)
    if result.verification is not None:
        print(result.verification.summary())


if __name__ == "__main__":
    main()
