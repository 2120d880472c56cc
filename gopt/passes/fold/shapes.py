"""Sizes that inference knows: dims of static shapes, and what is computed from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import ArrayTensor, DType, Graph, Model, Op, Role, TensorType, Value
from ...ops.trace import Tracer
from ...rewrite import Context
from ..base import Pass, register

_TYPES = (DType.INT64, DType.INT32)


@register
@dataclass(frozen=True)
class Shapes(Pass):
    """Shape(x) -> constant, where the dims are known

    Applies to Shape and Size, and to integer scalars and lists computed from them (Gather, Slice, Concat, Cast,
    arithmetic ...) all of whose elements are known, though other dims may not be: of Shape(x)[1] only the one dim
    matters. What is known follows from declared types of inputs and the clauses of operators, not from other declared
    types. Exact.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Fold the last values first: the ops that only they needed die with them."""
        tracer = Tracer()
        known: list[tuple[Value, ArrayTensor]] = []
        for graph in model.graphs():
            known += _known_sizes(graph, tracer)
        for value, tensor in reversed(known):
            if value.graph is not None and value.is_needed:
                ctx.replace(self.name, {value: Value("", Role.CONST, tensor, TensorType(tensor.dtype, tensor.shape))})


def _known_sizes(graph: Graph, tracer: Tracer) -> list[tuple[Value, ArrayTensor]]:
    """Values that Shape and Size lead to, and that are known, in dataflow order."""
    found: list[tuple[Value, ArrayTensor]] = []
    reached: dict[Op, None] = {}
    for op in graph.ops:
        if op.op_type not in ("Shape", "Size") and op not in reached:
            continue
        for value in op.outputs:
            type_ = None if value is None else value.type
            if value is None or not isinstance(type_, TensorType) or type_.dtype not in _TYPES:
                continue
            if type_.shape is None or len(type_.shape) > 1:
                continue
            reached.update(dict.fromkeys(graph.users(value)))
            tensor = _tensor(value, type_, tracer)
            if tensor is not None:
                found.append((value, tensor))
    return found


def _tensor(value: Value, type_: TensorType, tracer: Tracer) -> ArrayTensor | None:
    """The constant that a value is, None if an element is not known."""
    entries = tracer.of(value)
    if entries is None or type_.size != len(entries):
        return None
    numbers = [n for n in entries if isinstance(n, int)]
    if len(numbers) != len(entries) or (type_.dtype is DType.INT32 and any(not -_FAR <= n < _FAR for n in numbers)):
        return None
    return ArrayTensor(np.array(numbers, type_.dtype.numpy).reshape(() if not type_.shape else -1))


_FAR = 1 << 31
