"""Branches whose results have different ranks (ONNX operator If)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ...analysis import infer_op
from ...ir import Graph, Model, Op, TensorType, Value
from ...ir.clone import Mapping, clone_op
from ...ops import is_random, operands
from ...rewrite import Context, Origin
from ...rewrite.context import operands_of, release
from ..base import Pass, register
from ..fuse._branches import branches_of, ifs

_FAR = 8
"""Ops that are taken into the branches at most."""
_LOOPS = frozenset(("GRU", "LSTM", "RNN"))


@register
@dataclass(frozen=True)
class Branches(Pass):
    """f(If(c, a, b)) -> If(c, f(a), f(b)), where a and b have different ranks, but f(a) and f(b) do not

    As where one branch squeezes what the other hands on, and a Reshape follows. f is one op or several in a row, each
    the only one that takes what comes before it. Exact: f is computed of the branch that is taken, as before.
    """

    needs = ("If",)

    def run(self, model: Model, ctx: Context) -> None:
        """Look at each If of all graphs, inner ones first."""
        for op in list(ifs(model)):
            for place in range(len(op.outputs)):
                chain = _chain(op, place)
                if chain:
                    names = [v.name for link in chain for v in link.outputs if v is not None]
                    ctx.edit(self.name, names, partial(_sink, op, place, chain))


def _chain(op: Op, place: int) -> list[Op]:
    """The ops after a result of an If by which its ranks become equal; none if they are equal, or nothing does that."""
    both, value = branches_of(op), op.outputs[place]
    types = None if both is None else [_type(b.outputs[place]) for b in both]
    if both is None or types is None or value is None or not _differ(types):
        return []
    after, chain = _downstream(op), list[Op]()
    while len(chain) < _FAR:
        user = _only_user(value)
        if user is None or any(v is not value and _depends(v, op, after) for v in operands_of(user)):
            return []
        types = [_type_of(user, op, body, value, t) for body, t in zip(both, types)]
        if any(t is None or t.rank is None for t in types):
            return []
        chain.append(user)
        if not _differ(types):
            return chain
        value = user.result
    return []


def _differ(types: Sequence[TensorType | None]) -> bool:
    a, b = (None if t is None else t.rank for t in types)
    return a is not None and b is not None and a != b


def _only_user(value: Value) -> Op | None:
    """The op that alone takes a value, if it may run in a branch."""
    users = dict.fromkeys(use.op for use in value.uses)
    if value.is_output or len(users) != 1:
        return None
    (user,) = users
    one = len([v for v in user.outputs if v is not None]) == 1
    return user if one and not user.bodies and user.op_type not in _LOOPS and not is_random(user) else None


def _depends(value: Value, op: Op, after: dict[Op, None]) -> bool:
    """True if a value is computed of what an If gives; the results of the If itself are there in its branches, too."""
    return value.producer is not op and value.producer in after


def _downstream(op: Op) -> dict[Op, None]:
    """An op and all that depend on it."""
    found: dict[Op, None] = {op: None}
    todo = [op]
    while todo:
        for value in todo.pop().outputs:
            for use in value.uses if value is not None else ():
                if use.op not in found:
                    found[use.op] = None
                    todo.append(use.op)
    return found


def _type_of(user: Op, op: Op, body: Graph, value: Value, given: TensorType | None) -> TensorType | None:
    """The type of an op's result where `value` has the given type, and other results of the If those of a branch."""
    graph = op.graph
    assert graph is not None
    mapping: Mapping = {v: v for v in user.inputs if v is not None}
    for place, result in enumerate(op.outputs):
        if result in mapping and result is not None:
            mapping[result] = Value(result.name, type_=_type(body.outputs[place]))
    mapping[value] = Value(value.name, type_=given)
    made = clone_op(user, graph, mapping)
    if made is None or any(v is not None and _type(v) is None for v in operands(made)):
        return None
    infer_op(made)
    return _type(made.result)


def _type(value: Value | None) -> TensorType | None:
    if value is None:
        return None
    if value.const is not None:
        return TensorType(value.const.dtype, value.const.shape)
    return value.type if isinstance(value.type, TensorType) else None


def _sink(op: Op, place: int, chain: list[Op]) -> tuple[Sequence[Origin], Sequence[Op]]:
    """Move a row of ops into the branches."""
    both, graph, result = branches_of(op), op.graph, op.outputs[place]
    assert both is not None
    assert graph is not None
    assert result is not None
    origins, came = [], []
    for link in chain:
        origins.append(Origin(link.label, link.entry))
        for body in both:
            mapping: Mapping = {v: body.capture(v) for v in operands_of(link) if v.producer is not op}
            mapping |= {v: body.outputs[k] for k, v in enumerate(op.outputs) if v is not None}
            made = clone_op(link, body, mapping)
            assert made is not None
            made.name = ""
            made.order = max((o.order for o in body.ops), default=0)
            body.add(made)
            infer_op(made)
            before, made.result.declared = body.outputs[place], None
            body.set_output(place, made.result)
            if not before.is_needed and before.producer is None:
                release(body, {before: None})
            came.append(made)
        _take_out(graph, link, result)
    infer_op(op)
    return origins, came


def _take_out(graph: Graph, link: Op, result: Value) -> None:
    """Let the result of the If stand for that of the op after it."""
    old = link.result
    result.type, result.declared = old.type, old.declared
    for slot, value in enumerate(link.inputs):
        if value is result:
            graph.set_operand(link, slot, None)
    graph.replace_uses(old, result)
    graph.swap_names(old, result)
    rest = operands_of(link)
    graph.remove(link)
    release(graph, rest)
