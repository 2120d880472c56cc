"""An If that is decided beforehand gives way to the branch that it takes (ONNX operator If)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ...ir import AttrKind, Graph, Model, Op, Value
from ...ir.clone import Mapping, clone_ops, clone_value
from ...rewrite import Context
from ..base import Pass, option, register
from ._ranks import demanded, possible
from .splice import NodeNames, splice


@register(alias="inline-if")
@dataclass(frozen=True)
class Branches(Pass):
    """If(decided, a, b) -> a or b: the branch that is taken stands in the place of the If, the other goes.

    Decided is an If whose condition is constant, one inside a branch of an If with the same condition (or with Not of
    it), and one where the other branch would stop the model: its result has a rank that an op which runs in any case
    does not take, as where Squeeze or Identity feeds an LSTM. Exact: in every run that has a result, this branch is
    the one that is taken.
    """

    needs = ("If",)

    by_rank: bool = option(True, help="take a branch where ops that run in any case do not take what the other gives")

    def run(self, model: Model, ctx: Context) -> None:
        """Inline the decided branches of the main graph, of bodies and of functions; those inside of them too."""
        todo = deque(op for graph in [model.graph, *(f.graph for f in model.functions.values())] for op in graph.owners)
        names = NodeNames()
        known: Known = {}
        while todo:
            op = todo.popleft()
            branch = self._taken(op, known)
            came = None if branch is None else _inline(ctx, self.name, op, branch, names)
            # Bodies of what went are not looked at: only what is alive can be rewritten.
            todo.extend(_inside(op) if came is None else (made for made in came if made.bodies))

    def _taken(self, op: Op, known: Known) -> Graph | None:
        """The branch that an If surely takes; None if that is not known."""
        if op.op_type != "If" or op.domain:
            return None
        condition = op.input(0)
        chosen = _decided(condition, known)
        if chosen is None and self.by_rank:
            chosen = _only_possible(op)
            if chosen is not None and condition is not None:
                plain, inverse = _plain(condition)
                known[plain] = chosen != inverse
        return None if chosen is None else _branch(op, chosen)


Known = dict[Value, bool]
"""Conditions that are known though not constant, wherever the graph that they lie in runs."""


def _branch(op: Op, chosen: bool) -> Graph | None:
    attr = op.attrs.get("then_branch" if chosen else "else_branch")
    if attr is None or attr.kind is not AttrKind.GRAPH or attr.ref:
        return None
    branch: Graph = attr.value
    return branch if len(branch.outputs) >= len(op.outputs) and not branch.inputs else None


def _decided(condition: Value | None, known: Known) -> bool | None:
    """What a condition is: a constant, known, the condition of an If around, or Not of such."""
    negated = False
    while condition is not None:
        tensor = condition.const
        if tensor is not None:
            return bool(tensor.item()) != negated if tensor.size == 1 else None
        if condition in known:
            return known[condition] != negated
        plain, inverse = _plain(condition)
        if plain is not condition:
            condition, negated = plain, negated != inverse
            continue
        around = _inside_of(condition)
        if around is not None:
            return around != negated
        condition = condition.outer if condition.outer is not condition else None
    return None


def _plain(condition: Value) -> tuple[Value, bool]:
    """What a condition is Not of, in the same graph, and whether an odd number of times."""
    negated = False
    while (op := condition.producer) is not None and op.op_type == "Not" and not op.domain:
        operand = op.input(0)
        if operand is None:
            break
        condition, negated = operand, not negated
    return condition, negated


def _inside_of(condition: Value) -> bool | None:
    """For a captured value that is the condition of the If whose branch captures it: what it is there."""
    body = condition.graph
    owner = None if body is None else body.owner
    asked = None if owner is None else owner.input(0)
    if body is None or owner is None or asked is None or condition.outer is condition:
        return None
    if owner.op_type != "If" or owner.domain:
        return None
    plain, inverse = _plain(asked)
    captured, captured_inverse = _plain(condition.outer)
    if captured is not plain:
        return None
    return (_branch_name(owner, body) == "then_branch") != (inverse != captured_inverse)


def _branch_name(op: Op, body: Graph) -> str:
    return next(name for name, attr in op.attrs.items() if attr.value is body)


def _only_possible(op: Op) -> bool | None:
    """The branch of an If without which a later op would stop the model (True: then); None if there is no such."""
    fits = {}
    demands = list(enumerate(map(demanded, op.outputs)))
    for chosen in (True, False):
        branch = _branch(op, chosen)
        if branch is None:
            return None
        ranks = [(range(low, high + 1), possible(branch.outputs[place])) for place, (low, high) in demands]
        fits[chosen] = all(found is None or any(r in wanted for r in found) for wanted, found in ranks)
    return None if fits[True] == fits[False] else fits[True]


def _inline(ctx: Context, rule: str, op: Op, branch: Graph, names: NodeNames) -> list[Op] | None:
    graph = op.graph
    assert graph is not None
    mapping: Mapping = {inner: outer for inner, outer in op.captures.items() if inner.graph is branch}
    staged = clone_ops(branch, graph, mapping)
    results: list[Value] = []
    for value in branch.outputs[: len(op.outputs)]:
        result = clone_value(value, graph, mapping)
        assert result is not None
        results.append(result)
    return staged if splice(ctx, rule, op, staged, results, names) else None


def _inside(op: Op) -> Iterator[Op]:
    """The ops with bodies directly in the bodies of an op."""
    for body in op.bodies:
        yield from body.owners
