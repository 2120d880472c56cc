"""Attention as one op; only when asked for by name."""

from __future__ import annotations

from dataclasses import dataclass

from ...ir import Model
from ...rewrite import Context, Numerics, apply_rules
from ..base import Pass, register
from . import _attention


@register
@dataclass(frozen=True)
class Attention(Pass):
    """MatMul(Softmax(MatMul(q, Transpose(k)) * s + mask), v) -> Attention(q, k, v, mask; s)

    From opset 23 on. Applies to heads of rank 4, and takes in the Reshapes and Transposes that make them of operands of
    rank 3. Rounded otherwise, by the clause of Attention; a row that is masked altogether is left to the runtime.
    """

    numerics = Numerics.ROUNDING
    in_family = False

    def run(self, model: Model, ctx: Context) -> None:
        """Fuse until no attention is left that can be."""
        apply_rules(ctx, _attention.RULES)
