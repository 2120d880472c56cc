"""What a loop computes anew in every turn, though it depends on nothing in the loop, is computed once before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...ir import DType, Model, Op, Role, TensorType, static_shape
from ...ir.clone import Mapping, clone_op
from ...ops import attribute, ints, is_bound, is_current, is_random, opdef
from ...rewrite import Context, Origin
from ...rewrite.context import operands_of, release
from ..base import Pass, register
from ._loops import Turns, boolean, trips, turns_of
from .splice import NodeNames

_Change = tuple[Sequence[Origin], Sequence[Op]]


@register(alias="licm")
@dataclass(frozen=True)
class Hoist(Pass):
    """Loop(... f(w) ...) -> v = f(w), Loop(... v ...), where w comes from outside of the loop

    Applies to the bodies of Loop and Scan, to deterministic operators without bodies whose operands are captured or
    constant. Of a loop that may have no turn only ops are taken that cannot fail: Shape, Size, Identity, casts between
    numbers, Transpose and Unsqueeze of values of known rank, elementwise operators of one operand, and Add, Sub, Mul,
    Max, Min, comparisons and And, Or, Xor of operands that provably broadcast. What is exported by the body stays.
    Exact.
    """

    needs = ("Loop", "Scan")

    def run(self, model: Model, ctx: Context) -> None:
        """Inner loops first, so that what depends on no loop comes all the way out."""
        names = NodeNames()
        calls = {(f.domain, f.name) for f in model.functions.values()}
        for graph in reversed(tuple(model.graphs())):
            for owner in graph.owners:
                turns = turns_of(owner)
                if turns is None:
                    continue
                runs = _runs(turns)
                for op in turns.body.ops:
                    if (op.domain, op.op_type) not in calls and _may_move(op, runs):
                        _move(turns, op, self.name, ctx, names)


def _runs(turns: Turns) -> bool:
    """True if the loop has at least one turn."""
    count = trips(turns)
    if count is not None:
        return count > 0
    if not turns.is_loop or (turns.op.input(1) is not None and boolean(turns.op.input(1)) is not True):
        return False
    limit = turns.op.input(0)
    tensor = None if limit is None else limit.const
    return limit is None or (tensor is not None and tensor.size == 1 and int(tensor.item()) > 0)


def _may_move(op: Op, runs: bool) -> bool:
    known = opdef(op)
    if known is None or known.control or known.quantize or op.bodies or is_random(op) or not is_bound(op):
        return False
    operands = [v for v in op.inputs if v is not None]
    if not all(v.role in (Role.CAPTURE, Role.CONST) for v in operands) or all(v.const is not None for v in operands):
        return False  # what is constant all over is folded
    if any(v is not None and v.is_output for v in op.outputs):
        return False
    return runs or _cannot_fail(op)


_ALWAYS = frozenset(("Identity", "Shape", "Size"))
_TWO = frozenset(
    (
        "Add",
        "And",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "Max",
        "Min",
        "Mul",
        "Or",
        "Sub",
        "Xor",
    )
)


def _cannot_fail(op: Op) -> bool:
    """True if the op gives a result whatever it is given, as far as types are known."""
    if op.op_type in _ALWAYS:
        return True
    types = [v.type if v is not None else None for v in op.inputs]
    if not is_current(op) or not all(isinstance(t, TensorType) and t.dtype is not DType.STRING for t in types):
        return False
    shapes = [t.shape for t in types if isinstance(t, TensorType)]
    if op.op_type == "Cast":
        return bool(attribute(op, "to") != DType.STRING)
    if op.op_type == "Transpose":
        return shapes[0] is not None
    if op.op_type == "Unsqueeze":
        return shapes[0] is not None and ints(op, "axes") is not None
    known = opdef(op)
    if known is None or not known.elementwise:
        return False
    if len(types) == 1:
        return True
    return len(types) == 2 and op.op_type in _TWO and _broadcast(*[static_shape(t) for t in types])


def _broadcast(a: tuple[int, ...] | None, b: tuple[int, ...] | None) -> bool:
    if a == () or b == ():
        return True
    return a is not None and b is not None and all(x == y or 1 in (x, y) for x, y in zip(a[::-1], b[::-1]))


def _move(turns: Turns, op: Op, rule: str, ctx: Context, node_names: NodeNames) -> None:
    graph, body = turns.op.graph, turns.body
    assert graph is not None
    names = [v.name for v in op.outputs if v is not None]

    def change() -> _Change:
        origin = Origin(op.label, op.entry)
        mapping: Mapping = {v: v.outer for v in op.inputs if v is not None and v.role is Role.CAPTURE}
        made = clone_op(op, graph, mapping)
        assert made is not None
        made.order = turns.op.order
        node_names.settle(graph, [made])
        graph.add(made)
        for old, new in zip(op.outputs, made.outputs):
            if old is not None and new is not None:
                body.replace_uses(old, body.capture(new))
        operands = operands_of(op)
        body.remove(op)
        release(body, operands)
        return [origin], [made]

    ctx.edit(rule, names, change)
