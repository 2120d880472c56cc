"""Sizes that are computed twice, by whatever ops."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from ...ir import Graph, Model, Symbol, TensorType, Value
from ...ops.contents import FOLLOWED
from ...rewrite import Context
from ..base import Pass, register


@register
@dataclass(frozen=True)
class Contents(Pass):
    """g(sizes, the same sizes) -> g(sizes, sizes)

    Small tensors of integers and booleans become one where inference knows all their elements to be equal, as numbers
    or as expressions of dims: Gather(Shape(x), 0) and Shape(Relu(x))[0] are one value though no op of the one is equal
    to one of the other. The first in dataflow order stays. Exact.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """One sweep over each graph, in dataflow order."""
        for graph in tuple(model.graphs()):
            self._graph(graph, ctx)

    def _graph(self, graph: Graph, ctx: Context) -> None:
        first: dict[Hashable, Value] = {}
        for op in graph.ops:
            for value in op.outputs:
                type_ = None if value is None else value.type
                if value is None or type(type_) is not TensorType or type_.elements is None:
                    continue
                if type_.dtype not in FOLLOWED or not any(isinstance(e, Symbol) for e in type_.elements):
                    continue
                if any(e is None for e in type_.elements) or not value.is_needed:
                    continue
                same = first.setdefault((type_.dtype, type_.shape, type_.elements), value)
                if same is not value and same.graph is graph:
                    ctx.replace(self.name, {value: same})
