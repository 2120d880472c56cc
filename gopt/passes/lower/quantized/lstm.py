"""The LSTM of ONNX Runtime's quantizer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....ir import Array, Model, Op, Value
from ....rewrite import Context, Numerics, Rewriter
from ...base import Pass, register

_CONSTANT = (1, 2, 8, 9, 10, 11)


@register
@dataclass(frozen=True)
class Lstm(Pass):
    """DynamicQuantizeLSTM(x, w, r, ..., s, z, t, v) -> LSTM(x, s (w - z), t (r - v), ...)

    Where weights, scales and zero points are constant. The weights stay what they are, but what is multiplied by them
    is no longer rounded to 255 levels: the numbers are those of the model before it was quantized, others than now.
    """

    in_family = False
    numerics = Numerics.ROUNDING

    def run(self, model: Model, ctx: Context) -> None:
        """Look at all graphs."""
        for graph in tuple(model.graphs()):
            for op in graph.ops:
                if (op.domain, op.op_type) == ("com.microsoft", "DynamicQuantizeLSTM"):
                    self._op(op, ctx)

    def _op(self, op: Op, ctx: Context) -> None:
        graph = op.graph
        parts = [op.input(k) for k in _CONSTANT]
        if graph is None or any(v is None or v.const is None for v in parts):
            return
        w, r, ws, wz, rs, rz = (v.const.numpy() for v in parts if v is not None and v.const is not None)
        if w.ndim != 3 or r.ndim != 3:
            return
        rw = Rewriter(graph, op)
        weights: list[Value | None] = []
        for quantized, scale, zero in ((w, ws, wz), (r, rs, rz)):
            array = _dequantized(quantized, scale, zero).transpose(0, 2, 1)
            weights.append(rw.const(np.ascontiguousarray(array), name="weight"))
        rest = [op.input(k) for k in range(3, 8)]
        made = rw.op("LSTM", op.input(0), *weights, *rest, outputs=3, **rw.copy_attrs(op))  # type: ignore[arg-type]
        results = {old: new for old, new in zip(op.outputs, made) if old is not None and old.is_needed}
        ctx.replace(self.name, results, rw.staged, numerics=Numerics.ROUNDING)


def _dequantized(quantized: Array, scale: Array, zero: Array) -> Array:
    """The weights [directions, inputs, 4 hidden] that 8 bits stand for; scale and zero by direction, or by column."""
    parts = [p.astype(np.float32) for p in (zero, scale)]
    shaped = [p.reshape(-1, 1, 1) if p.ndim <= 1 else p[:, None, :] for p in parts]
    result: Array = (quantized.astype(np.float32) - shaped[0]) * shaped[1]
    return result
