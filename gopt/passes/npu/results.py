"""Results of recurrent layers that nobody uses (ONNX operators LSTM, GRU, RNN)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...ir import Model
from ...rewrite import Context, Rewriter
from ..base import Pass, register

_RESULTS = {"LSTM": 3, "GRU": 2, "RNN": 2}


@register
@dataclass(frozen=True)
class Results(Pass):
    """( , h) = LSTM(x) -> (y, h) = LSTM(x)

    Gives a name to each result, where an operand list has a hole: compilers that look at every result by its name take
    the empty one for a value. Exact; must come last, for what nobody uses is taken away again by `clean.dead`.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Write recurrent layers anew that leave out a result before their last."""
        for graph in tuple(model.graphs()):
            for op in graph.ops:
                count = _RESULTS.get(op.op_type)
                if count is None or op.domain or None not in op.outputs[:count]:
                    continue
                rw = Rewriter(graph, op)
                attrs: dict[str, Any] = rw.copy_attrs(op)
                made = rw.op(op.op_type, *op.inputs, outputs=count, name=op.name, **attrs)
                kept = {old: new for old, new in zip(op.outputs, made) if old is not None}
                ctx.replace(self.name, kept, rw.staged, numerics=self.numerics)
