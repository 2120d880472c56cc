"""A model to another version of the standard operators, as a whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import GraphError, TargetError, UsageError
from ...ir import Graph, Model, Op, Role, Value
from ...ops import NotAvailable
from ...rewrite import Context, Numerics, Origin
from ...rewrite.context import operands_of, release
from ..base import Pass, option, register
from .plan import Plan, Step, plan


@register(alias="opset")
@dataclass(frozen=True)
class Convert(Pass):
    """f at one opset -> what computes the same at another

    Each op of the standard domain stays as it is where both versions read it alike; is written in the other spelling
    (attributes that became operands, defaults that changed, operators that were renamed); is replaced by operators that
    mean today what it meant (Softmax below 13, Upsample, broadcasts by `axis`); or, where the target lacks it, by
    operators that the target has (LayerNormalization, Gelu, GroupNormalization, or the body that ONNX gives for it).
    Bodies and local functions go along; other domains stay. If one op cannot go, none does, and the error names all
    that cannot. What is kept or respelled means the same to the bit, though runtimes may have another kernel for it;
    ops that are replaced may round in another order.
    """

    numerics = Numerics.ROUNDING

    to: int = option(help="version of the standard domain")

    def run(self, model: Model, ctx: Context) -> None:
        """Convert the model.

        Raises:
            UsageError: there is no such version.
            TargetError: ops stand in the way, or would round though the run is to be exact.
        """
        try:
            found = plan(model, self.to)
        except NotAvailable as error:
            raise UsageError(f"{self.name}: {error}") from None
        if found.blockers:
            raise TargetError(refusal(found))
        if ctx.exact and found.numerics is not Numerics.EXACT:
            inexact = [s.op.label for s in found.steps if s.made.numerics is not Numerics.EXACT]
            raise TargetError(f"opset {self.to} cannot be reached exactly: {', '.join(inexact)}")
        if found.scopes:
            convert(model, ctx, self.name, found)

    def unmet(self, model: Model) -> str:
        """A model at another opset is not what was asked for."""
        version = model.opsets.get("", self.to)
        if version == self.to:
            return ""
        return f"what {self.name} made of the model had to be left out, so that it is at opset {version}, not {self.to}"


def refusal(found: Plan) -> str:
    """One line that names every op in the way."""
    count = len(found.blockers)
    what = "an op that has" if count == 1 else f"{count} ops that have"
    return f"opset {found.to} is out of reach for {what} no counterpart there: " + "; ".join(map(str, found.blockers))


def convert(model: Model, ctx: Context, rule: str, found: Plan) -> None:
    """Change imports and ops, an entry each; nothing if the run does not permit every one of them."""
    first = f"{found.before}->{found.to}"
    wanted = [[first], *(_names(step.op) for step in found.steps)]
    limit = ctx.ledger.limit
    if limit is not None and len(ctx.ledger.entries) + len(wanted) > limit:
        return
    if not all(ctx.ledger.permits(rule, ctx.ledger.key(rule, names)) for names in wanted):
        return

    def switch() -> tuple[Sequence[Op], Sequence[Op]]:
        for graph in found.scopes:
            graph.opsets[""] = found.to
            for inner in graph.walk():
                _respell_constants(inner, found.to)
        model.ir_version = found.ir_version
        return (), ()

    # What is kept means the same, but runtimes may compute another version of an operator by another kernel. A run that
    # is to be exact has the bits compared all the same.
    kernels = Numerics.EXACT if ctx.exact else Numerics.ROUNDING
    moved: dict[Value, Value] = {}
    done = ctx.edit(rule, wanted[0], switch, numerics=kernels)
    for step, names in zip(found.steps, wanted[1:]):
        done &= ctx.edit(rule, names, lambda step=step: _swap(step, moved), numerics=step.made.numerics)  # type: ignore[misc]
    if not done or any(graph.opsets.get("", found.to) != found.to for graph in model.graphs()):
        raise GraphError(f"the model did not come to opset {found.to}")


def _names(op: Op) -> list[str]:
    return [v.name for v in op.outputs if v is not None] or [op.label]


def _swap(step: Step, moved: dict[Value, Value]) -> tuple[Sequence[Origin], Sequence[Op]]:
    """Put what was staged in the place of an op. `moved` says what became of the results of ops before."""
    op, staged = step.op, step.made.staged
    graph = op.graph
    assert graph is not None
    origin = Origin(op.label, op.entry)
    for made in staged:
        made.inputs = tuple(None if v is None else moved.get(v, v) for v in made.inputs)
        made.order = op.order
        graph.add(made)
    for old, new in zip(op.outputs, step.made.results):
        if old is not None and new is not None:
            _stand_in(graph, old, new, staged)
            moved[old] = new
    operands = operands_of(op)
    graph.remove(op)
    release(graph, operands)
    return [origin], staged


def _stand_in(graph: Graph, old: Value, new: Value, staged: Sequence[Op]) -> None:
    graph.replace_uses(old, new, keep=staged)
    if old in graph.kept:
        del graph.kept[old]
        graph.kept[new] = None
    graph.swap_names(old, new)
    new.declared = old.declared
    if new.type is None:
        new.type = old.type


def _respell_constants(graph: Graph, version: int) -> None:
    """Constant nodes below 12 hold tensors alone; as initializers the others need no version."""
    if version >= 12:
        return
    for value in graph.values:
        node = getattr(value.spelling, "node", None)
        if value.role is Role.CONST and node is not None and node.attrs.keys() != {"value"}:
            value.spelling = None
