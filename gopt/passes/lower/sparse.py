"""Sparse initializers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import ArrayTensor, Model, Op, Role, Value
from ...rewrite import Context
from ..base import Pass, register


@register
@dataclass(frozen=True)
class Sparse(Pass):
    """a sparse initializer -> the dense one that it stands for

    Exact. The model becomes larger; that does not count as growth.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Look at the constants of all graphs; one entry."""
        found = [v for graph in model.graphs() for v in graph.constants if _is_sparse(v)]
        if not found:
            return

        def change() -> tuple[Sequence[Op], Sequence[Op]]:
            for value in found:
                assert value.tensor is not None
                value.tensor = ArrayTensor(value.tensor.numpy(), value.tensor.dtype)
                value.spelling = None
            return (), ()

        ctx.edit(self.name, [v.name for v in found], change)


def _is_sparse(value: Value) -> bool:
    return value.role is Role.CONST and getattr(value.spelling, "sparse", False)
