"""A model to a newer version of the standard operators, if that can be had."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import UsageError
from ...ir import Model
from ...ops import NotAvailable
from ...rewrite import Context, Numerics
from ..base import Pass, option, register
from .convert import convert
from .plan import plan


@register
@dataclass(frozen=True)
class Upgrade(Pass):
    """f at an older opset -> what computes the same at a newer one, where every op can go

    As `opset.convert`, but a model that is as new already, or that has an op without a counterpart, stays as it is. A
    newer opset has single operators (LayerNormalization from 17 on, Gelu from 20 on) for what `fuse` then recognises.
    """

    numerics = Numerics.ROUNDING
    in_family = False

    to: int = option(help="version of the standard domain")

    def run(self, model: Model, ctx: Context) -> None:
        """Convert the model, or note what is in the way.

        Raises:
            UsageError: there is no such version.
        """
        if ctx.exact or model.opsets.get("", self.to) >= self.to:
            return
        attempt(model, ctx, self.name, self.to)


def attempt(model: Model, ctx: Context, name: str, to: int) -> None:
    """Convert a model to another opset if every op can go there; note in the ledger what is in the way.

    Raises:
        UsageError: there is no such version.
    """
    try:
        found = plan(model, to)
    except NotAvailable as error:
        raise UsageError(f"{name}: {error}") from None
    for blocker in found.blockers:
        ctx.ledger.reject(name, blocker.op, blocker.reason)
    if ctx.exact and found.numerics is not Numerics.EXACT:
        return
    if found.scopes and not found.blockers:
        convert(model, ctx, name, found)
