"""What Loop and Scan carry from turn to turn for nothing goes (ONNX operators Loop, Scan)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ...ir import Attr, Graph, Model, Op, Role, Value
from ...ops import attribute
from ...rewrite import Context, Origin
from ..base import Pass, register
from ._loops import Turns, never_changes, turns_of
from .rebuild import rebuild, trim

_Change = tuple[Sequence[Origin], Sequence[Op]]


@register
@dataclass(frozen=True)
class Carried(Pass):
    """Loop(..., x -> x) -> Loop(...) that captures x; likewise what is carried or stacked, and used by nobody

    Applies to values that the body of a Loop or Scan hands on as they came: inside they are what was given, and so is
    the result, unless it is an output of the graph. Values that only serve to compute the next of their own kind are
    left out, and so are unused stacked results and unused scanned operands, as long as one is left. What the body of a
    Loop carries on without a change (its condition, too) it exports as it is, not a copy; the number of the turn alone
    is copied, as ONNX Runtime counts in place. Exact.
    """

    needs = ("Loop", "Scan")

    def run(self, model: Model, ctx: Context) -> None:
        """Look at every loop, outer ones first."""
        for graph in tuple(model.graphs()):
            for op in graph.owners:
                if op.graph is graph:
                    self._op(op, ctx)

    def _op(self, op: Op, ctx: Context) -> None:
        turns = turns_of(op)
        if turns is None:
            return
        for k in range(turns.carried):
            if never_changes(turns, k) and _may_capture(turns, k):
                _capture(turns, k, self.name, ctx)
        if not any(v is not None and v.is_needed for v in op.outputs):
            return
        if turns.is_loop:
            for slot in range(turns.first + turns.carried):
                if (copy := _copy(turns, slot)) is not None:
                    ctx.edit(self.name, [turns.body.outputs[slot].name], partial(_export, turns.body, slot, copy))
        live = _live(turns)
        scanned = _scanned(turns)
        if len(live) < turns.carried + turns.stacked or len(scanned) < len(op.inputs) - turns.before - turns.carried:
            names = [v.name for v in op.outputs if v is not None] or [op.label]
            ctx.edit(self.name, names, lambda: _reduce(turns, live, scanned))


def _copy(turns: Turns, slot: int) -> Op | None:
    """The Identity of an input that a body exports in a slot, and nowhere else."""
    body, value = turns.body, turns.body.outputs[slot]
    op = value.producer
    if op is None or op.op_type != "Identity" or op.domain or body.use_count(value):
        return None
    source = op.input(0)
    if source is None or source.role is not Role.INPUT or source.is_output:
        return None  # ONNX Runtime asks for outputs with names of their own
    if slot and source is body.inputs[0]:
        return None  # it counts the turns in place: what was handed on would be one more by then
    return op if sum(v is value for v in body.outputs) == 1 else None


def _export(body: Graph, slot: int, copy: Op) -> _Change:
    """Export what was copied."""
    origin = Origin(copy.label, copy.entry)
    source = copy.input(0)
    assert source is not None
    body.set_output(slot, source)
    body.remove(copy)
    return [origin], []


def _may_capture(turns: Turns, k: int) -> bool:
    """True if a value that never changes is used inside, or outside where another may stand for it."""
    result, last = turns.result(k), turns.next(k).producer
    # The Identity that hands it on is no use: what is exported has to be made inside.
    if any(op is not last for op in turns.body.users(turns.inner(k))):
        return True
    return result is not None and not result.is_output and result.use_count > 0


def _capture(turns: Turns, k: int, rule: str, ctx: Context) -> None:
    """Let a value that never changes be captured, and its result be what was given."""
    op, body, inner, initial, result = turns.op, turns.body, turns.inner(k), turns.initial(k), turns.result(k)
    graph = op.graph
    assert graph is not None
    assert initial is not None

    def change() -> _Change:
        last = turns.next(k).producer
        hands_on = () if last is None or inner not in last.inputs else (last,)
        if any(user not in hands_on for user in body.users(inner)):
            _replace_inside(body, inner, body.capture(initial), hands_on)
        if result is not None and not result.is_output:
            graph.replace_uses(result, initial)
        return (), ()

    ctx.edit(rule, [inner.name], change)


def _replace_inside(body: Graph, old: Value, new: Value, keep: Sequence[Op]) -> None:
    """`Graph.replace_uses` without the exports: a captured value cannot be one."""
    exported = [k for k, value in enumerate(body.outputs) if value is old]
    body.replace_uses(old, new, keep=keep)
    for k in exported:
        body.set_output(k, old)


def _live(turns: Turns) -> list[int]:
    """The results, carried and stacked, on which a used one or the condition depends."""
    wanted = [k for k in range(turns.carried + turns.stacked) if (v := turns.result(k)) is not None and v.is_needed]
    place = {turns.inner(k): k for k in range(turns.carried)}
    live = dict.fromkeys(wanted)
    seen: set[Value] = set()
    todo = [*turns.body.outputs[: turns.first], *map(turns.next, wanted)]
    while todo:
        value = todo.pop()
        if value in seen:
            continue
        seen.add(value)
        k = place.get(value)
        if k is not None and k not in live:
            live[k] = None
            todo.append(turns.next(k))
        if (op := value.producer) is not None:
            todo += [v for v in op.inputs if v is not None]
            todo += op.captures.values()
    return sorted(live)


def _scanned(turns: Turns) -> list[int]:
    """The scanned operands of a Scan that its body uses, or one of them."""
    if turns.is_loop:
        return []
    all_ = range(turns.carried, len(turns.op.inputs))
    used = [k for k in all_ if turns.body.needs(turns.inner(k))]
    return used or list(all_[:1])


def _reduce(turns: Turns, live: list[int], scanned: list[int]) -> _Change:
    """Leave out all results but the live ones, and what belongs to them."""
    op, body = turns.op, turns.body
    origin = Origin(op.label, op.entry)
    carried = [k for k in live if k < turns.carried]
    gone = [turns.inner(k) for k in range(turns.carried) if k not in carried]
    gone += [turns.inner(k) for k in range(turns.carried, len(op.inputs)) if not turns.is_loop and k not in scanned]
    operands = [*op.inputs[: turns.before], *(op.inputs[turns.before + k] for k in carried)]
    operands += [op.inputs[k] for k in scanned]
    attrs = _attributes(turns, live, scanned)
    for k in reversed(range(turns.carried + turns.stacked)):
        if k not in live:
            body.remove_output(turns.first + k)
    trim(body)
    for value in gone:
        body.remove_input(value)
    return [origin], [rebuild(op, operands, [k for k in live if k < len(op.outputs)], attrs)]


def _attributes(turns: Turns, live: list[int], scanned: list[int]) -> dict[str, Attr]:
    """The attributes of a Scan that list something for each scanned operand or stacked result."""
    attrs = dict(turns.op.attrs)
    if turns.is_loop:
        return attrs
    attrs["num_scan_inputs"] = Attr.of(len(scanned))
    stacked = [k for k in live if k >= turns.carried]
    for kind, kept in (("input", scanned), ("output", stacked)):
        for name in (f"scan_{kind}_axes", f"scan_{kind}_directions"):
            given = attribute(turns.op, name)
            if name in attrs and given and kept:
                attrs[name] = Attr.of([given[k - turns.carried] for k in kept])
            else:
                attrs.pop(name, None)
    return attrs
