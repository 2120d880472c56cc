"""What both branches of an If do is done once (ONNX operator If)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial

from ...ir import Graph, Model, Op, Role, Symbol, TensorType, Type, Value
from ...ir.clone import Mapping, clone_op
from ...ops import is_random
from ...rewrite import Context, Origin
from ..base import Pass, register
from ..clean.duplicates import attributes_of, mergeable
from ..inline.rebuild import rebuild, trim
from ..inline.splice import NodeNames
from ._branches import branches_of, ifs, stand_in, without
from ._numbers import Numbers

_Change = tuple[Sequence[Origin], Sequence[Op]]


@register
@dataclass(frozen=True)
class Negated(Pass):
    """If(Not(c), a, b) -> If(c, b, a)

    Applies where nothing but conditions of Ifs takes the result of Not, so that it goes. Exact.
    """

    needs = ("If",)

    def run(self, model: Model, ctx: Context) -> None:
        """Look at every Not that decides an If."""
        for graph in tuple(model.graphs()):
            for op in graph.owners:
                condition = op.input(0)
                negation = None if condition is None else condition.producer
                if op.graph is not graph or branches_of(op) is None or negation is None or condition is None:
                    continue
                users = [use.op for use in condition.uses]
                only_ifs = all(use.slot == 0 and branches_of(use.op) is not None for use in condition.uses)
                if negation.op_type == "Not" and not negation.domain and only_ifs and not condition.is_output:
                    for user in users:
                        ctx.edit(self.name, _names(user), partial(_swap, user, negation))


@register
@dataclass(frozen=True)
class Heads(Pass):
    """If(c, g(f(x)), h(f(x))) -> y = f(x), If(c, g(y), h(y))

    Applies to ops of both branches that are the same to the bit in operator, attributes and operands, all of which come
    from outside or are equal constants: whichever branch is taken, they run. What both branches export in one place is
    the result itself. Not random ops, ops with bodies, calls and operators that gopt does not know. Exact.
    """

    needs = ("If",)

    def run(self, model: Model, ctx: Context) -> None:
        """Inner Ifs first, so that what is the same everywhere comes all the way out."""
        operators = mergeable().difference((f.domain, f.name) for f in model.functions.values())
        names = NodeNames()
        for op in ifs(model):
            current: Op | None = op
            for first, second in _twins(op, operators):
                if current is not None and (slots := _slots(first, second)) is not None:
                    current = self._move(current, _Common(first, second, slots), ctx, names)

    def _move(self, op: Op, common: _Common, ctx: Context, names: NodeNames) -> Op | None:
        """Move one op out; returns the If that is left."""
        left: list[Op | None] = [op]

        def change() -> _Change:
            origins, came, left[0] = _hoist(op, common, names)
            return origins, came

        ctx.edit(self.name, [v.name for v in common.first.outputs if v is not None], change)
        return left[0]


@register
@dataclass(frozen=True)
class Tails(Pass):
    """If(c, f(a), f(b)) -> f(If(c, a, b))

    Applies to the last op of both branches if operator, attributes and all operands but one are the same to the bit,
    its result is used nowhere else, and the operand has the same type in both, so that nothing is known of it outside
    that was known inside. Not random ops, ops with bodies, calls and operators that gopt does not know. Exact.
    """

    needs = ("If",)

    def run(self, model: Model, ctx: Context) -> None:
        """Inner Ifs first."""
        operators = mergeable().difference((f.domain, f.name) for f in model.functions.values())
        names = NodeNames()
        for op in ifs(model):
            for slot in range(len(op.outputs)):
                while (tail := _tail(op, slot, operators)) is not None:
                    result = op.outputs[slot]
                    assert result is not None
                    if not ctx.edit(self.name, [result.name], partial(_sink, op, slot, tail, names)):
                        break


def _names(op: Op) -> list[str]:
    return [v.name for v in op.outputs if v is not None] or [op.label]


def _swap(op: Op, negation: Op) -> _Change:
    origin = Origin(op.label, op.entry)
    order = ("then_branch", "else_branch")
    attrs = dict(op.attrs)
    attrs["then_branch"], attrs["else_branch"] = (op.attrs[name] for name in reversed(order))
    made = rebuild(op, [negation.input(0)], range(len(op.outputs)), attrs)
    graph = negation.graph
    if graph is not None and not any(v is not None and v.is_needed for v in negation.outputs):
        label = Origin(negation.label, negation.entry)
        graph.remove(negation)
        return [origin, label], [made]
    return [origin], [made]


# -- heads ------------------------------------------------------------------------------------------------------------


@dataclass
class _Common:
    """An op of the first branch, its twin in the second, and per result the slot in which both export it, or None."""

    first: Op
    second: Op
    slots: list[int | None]


def _twins(op: Op, operators: frozenset[tuple[str, str]]) -> list[tuple[Op, Op]]:
    """Ops of the first branch with those of the second that compute the same, operands before users."""
    branches = branches_of(op)
    if branches is None:
        return []
    taken = [{outer for inner, outer in op.captures.items() if inner.graph is body} for body in branches]
    if taken[0].isdisjoint(taken[1]):
        return []  # an op that moves takes something from outside
    numbers = Numbers()
    keys = [{made: _key(made, operators, numbers) for made in body.ops} for body in branches]
    first: dict[Hashable, list[Op]] = {}
    for made, key in keys[0].items():
        if key is not None:
            first.setdefault(key, []).append(made)
    twins = []
    for made, key in keys[1].items():
        met = first.pop(key, ())
        if len(met) == 1:
            twins.append((met[0], made))
    return twins


def _key(op: Op, operators: frozenset[tuple[str, str]], numbers: Numbers) -> Hashable:
    """What tells an op from all that compute something else; None if nothing can be said."""
    if (op.domain, op.op_type) not in operators or op.bodies or is_random(op) or not op.inputs:
        return None
    attributes = attributes_of(op)
    if attributes is None:
        return None
    key = (op.op_type, op.domain, len(op.outputs), attributes, *map(numbers.of, op.inputs))
    numbers.note(op.outputs, key)
    return key


def _slots(first: Op, second: Op) -> list[int | None] | None:
    """For each result of twins the slot in which both branches export it; None if they cannot move."""
    if first.graph is None or second.graph is None:
        return None  # nobody needs it any more
    operands = [v for v in (*first.inputs, *second.inputs) if v is not None]
    if any(v.role is Role.RESULT for v in operands) or all(v.const is not None for v in operands):
        return None  # it takes what stays inside, or will be folded
    slots: list[int | None] = []
    for a, b in zip(first.outputs, second.outputs):
        if (a is None) != (b is None):
            return None
        places = [
            [k for k, v in enumerate(made.graph.outputs) if v is value]
            for made, value in ((first, a), (second, b))
            if made.graph is not None and value is not None
        ]
        if places and (places[0] != places[1] or len(places[0]) > 1):
            return None
        slots.append(places[0][0] if places and places[0] else None)
    return slots


def _hoist(op: Op, common: _Common, names: NodeNames) -> tuple[list[Origin], list[Op], Op | None]:
    """Move an op of both branches before the If; returns what went, what came, and the If that is left."""
    graph = op.graph
    assert graph is not None
    origins = [Origin(o.label, o.entry) for o in (common.first, common.second)]
    mapping: Mapping = {v: v.outer for v in common.first.inputs if v is not None and v.role is Role.CAPTURE}
    made = clone_op(common.first, graph, mapping)
    assert made is not None
    made.order = op.order
    names.settle(graph, [made])
    graph.add(made)
    for twin in (common.first, common.second):
        body = twin.graph
        assert body is not None
        for old, new in zip(twin.outputs, made.outputs):
            if old is not None and new is not None and body.use_count(old):
                body.replace_uses(old, body.capture(new))
    dropped = [slot for slot in common.slots if slot is not None]
    for slot, new in zip(common.slots, made.outputs):
        if slot is not None and new is not None:
            stand_in(graph, op.outputs[slot], new)
    rest: Op | None = op
    came = [made]
    if dropped:
        origins.append(Origin(op.label, op.entry))
        rest = without(op, dropped)
        came += [] if rest is None else [rest]
    for body in () if rest is None else rest.bodies:
        trim(body)
    return origins, came, rest


# -- tails ------------------------------------------------------------------------------------------------------------


@dataclass
class _Tail:
    """The last ops of two branches for one result, and their operands that differ."""

    first: Op
    second: Op
    a: Value
    b: Value


def _tail(op: Op, slot: int, operators: frozenset[tuple[str, str]]) -> _Tail | None:
    branches = branches_of(op)
    result = op.outputs[slot]
    if branches is None or result is None or not result.is_needed:
        return None
    made = [_last(body, slot) for body in branches]
    first, second = made
    if first is None or second is None or (first.domain, first.op_type) not in operators or is_random(first):
        return None
    if (first.op_type, first.domain, len(first.inputs)) != (second.op_type, second.domain, len(second.inputs)):
        return None
    attributes = attributes_of(first)
    if attributes is None or attributes != attributes_of(second):
        return None
    numbers = Numbers()
    pairs = list(zip(first.inputs, second.inputs))
    others = dict.fromkeys((a, b) for a, b in pairs if numbers.of(a) != numbers.of(b))
    if len(others) != 1:
        return None
    a, b = next(iter(others))
    if a is None or b is None or any((x is a) != (y is b) for x, y in pairs) or not _may_pass(a, b):
        return None
    return _Tail(first, second, a, b)


def _last(body: Graph, slot: int) -> Op | None:
    """The op whose only result is exported there and nowhere else."""
    value = body.outputs[slot]
    op = value.producer
    if op is None or op.bodies or len(op.outputs) != 1 or body.use_count(value):
        return None
    return op if sum(v is value for v in body.outputs) == 1 else None


def _may_pass(a: Value, b: Value) -> bool:
    """True if two values of the branches can be one result of the If, of which as much is known."""
    if a.role is not Role.RESULT or b.role is not Role.RESULT or a.is_output or b.is_output:
        return False
    return _alike(a.type, b.type)


def _alike(a: Type | None, b: Type | None) -> bool:
    if not isinstance(a, TensorType) or not isinstance(b, TensorType) or a.dtype is not b.dtype:
        return False
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return False
    return all(x == y or (_is_unknown(x) and _is_unknown(y)) for x, y in zip(a.shape, b.shape))


def _is_unknown(dim: object) -> bool:
    return isinstance(dim, Symbol) and not dim.name


def _sink(op: Op, slot: int, tail: _Tail, names: NodeNames) -> _Change:
    """Let the If give what the last ops of its branches took, and put one of them behind it."""
    graph, old = op.graph, op.outputs[slot]
    assert graph is not None
    assert old is not None
    origins = [Origin(o.label, o.entry) for o in (tail.first, tail.second)]
    mapping: Mapping = {v: v.outer for v in tail.first.inputs if v is not None and v.role is Role.CAPTURE}
    mapping[tail.a] = old
    made = clone_op(tail.first, graph, mapping)
    assert made is not None
    made.order = op.order
    names.settle(graph, [made])
    graph.add(made)  # before the bodies let go of what it takes
    for end, operand in ((tail.first, tail.a), (tail.second, tail.b)):
        body = end.graph
        assert body is not None
        body.set_output(slot, operand)
        trim(body)
    graph.replace_uses(old, made.result, keep=[made])
    graph.swap_names(old, made.result)
    made.result.declared, old.declared = old.declared, None
    old.type = tail.a.type if tail.a.type == tail.b.type else None
    graph.dirty[op] = None
    return origins, [made]
