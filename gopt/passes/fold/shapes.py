"""Contents that inference knows: dims of static shapes, and what is computed from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...ir import ArrayTensor, Graph, Model, Role, TensorType, Value
from ...ops.contents import FOLLOWED
from ...rewrite import Context
from ..base import Pass, register


@register
@dataclass(frozen=True)
class Shapes(Pass):
    """Shape(x) -> constant, where the dims are known

    Applies to Shape and Size, and to small tensors of integers and booleans computed from them (Gather, Slice, Concat,
    Cast, arithmetic, comparisons ...) all of whose elements are known, though other dims may not be: of Shape(x)[1]
    only the one dim matters, and n // n is 1 whatever n is. What is known follows from declared types of inputs and the
    clauses of operators, not from other declared types. Exact.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Fold the last values first: the ops that only they needed die with them."""
        known: list[tuple[Value, ArrayTensor]] = []
        for graph in model.graphs():
            known += _known_contents(graph)
        for value, tensor in reversed(known):
            if value.graph is not None and value.is_needed:
                ctx.replace(self.name, {value: Value("", Role.CONST, tensor, TensorType(tensor.dtype, tensor.shape))})


def _known_contents(graph: Graph) -> list[tuple[Value, ArrayTensor]]:
    """Results of known elements, in dataflow order."""
    found: list[tuple[Value, ArrayTensor]] = []
    for op in graph.ops:
        for value in op.outputs:
            type_ = None if value is None else value.type
            if value is None or type(type_) is not TensorType or type_.elements is None or type_.dtype not in FOLLOWED:
                continue
            if op.inputs and all(v is None or v.const is not None for v in op.inputs):
                break  # left to fold.constants
            tensor = _tensor(type_)
            if tensor is not None:
                found.append((value, tensor))
    return found


def _tensor(type_: TensorType) -> ArrayTensor | None:
    """The constant that a value of this type is, None if an element is not known."""
    elements = type_.elements or ()
    if type_.shape is None or not all(isinstance(e, int) for e in elements):
        return None
    try:
        array = np.array(elements, type_.dtype.numpy)
    except OverflowError:
        return None
    return ArrayTensor(array.reshape(type_.shape))
