"""What nobody needs: ops, results, constants and functions (ONNX operators have no side effects)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...ir import Function, Graph, Model, Op, Role, Value, dead_ops
from ...rewrite import Context, Numerics, Origin
from ..base import Pass, register
from ..inline.rebuild import rebuild, trim

_Change = tuple[Sequence[Origin], Sequence[Op]]


@register
@dataclass(frozen=True)
class Dead(Pass):
    """f(x) -> nothing, where nobody needs the result

    Ops go that no output depends on; optional results that nobody uses, where an op without them computes the same;
    results of If and the last ones of Loop and Scan, with what computes them inside; constants that nothing uses, but
    never an input, with or without a default; definitions of functions that nobody calls. Random ops go like others.
    Exact but for the NaN that MaxPool meets.
    """

    numerics = Numerics.FINITE

    def run(self, model: Model, ctx: Context) -> None:
        """Remove everything that is dead; one sweep per graph, outer graphs first."""
        self._nest(model.graph, ctx)
        if model.functions:
            self._functions(model, ctx)
            for function in model.functions.values():
                self._nest(function.graph, ctx)

    def _nest(self, graph: Graph, ctx: Context) -> None:
        """A graph and the bodies below it."""
        todo = [graph]
        while todo:
            graph = todo.pop()
            if graph.owner is None or graph.owner.graph is not None:  # else its owner was dead
                self._graph(graph, ctx)
                todo.extend(body for op in graph.owners for body in op.bodies)

    def _graph(self, graph: Graph, ctx: Context) -> None:
        seeds = []
        partial = []
        for op in graph.ops:
            outputs = op.outputs
            if len(outputs) == 1:
                value = outputs[0]
                if value is None or _is_unused(graph, value):
                    seeds.append(op)
            else:
                unused = [v is None or _is_unused(graph, v) for v in outputs]
                if all(unused):
                    seeds.append(op)
                elif any(unused):
                    partial.append(op)
        if seeds:
            ctx.remove(self.name, dead_ops(graph, seeds))
        for op in partial:
            if op.graph is graph:
                self._results(graph, op, ctx)
        for value in [v for v in graph.values if v.role >= Role.CONST and _is_unused(graph, v)]:
            self._source(graph, value, ctx)

    def _results(self, graph: Graph, op: Op, ctx: Context) -> None:
        """Drop the optional results of an op that nobody uses."""
        if op.bodies:
            while len(op.outputs) > 1 and _may_go_inside(graph, op) and ctx.edit(self.name, *_drop_inside(graph, op)):
                pass
            if op.op_type == "If" and not op.domain:
                self._branches(graph, op, ctx)
            return
        droppable = _OPTIONAL.get(op.op_type, ())
        if op.domain:
            return
        if op.op_type == "Attention" and any(op.input(slot) is not None for slot in _PAST):
            droppable = droppable[2:]  # ONNX Runtime wants the present where it is given a past
        for slot in range(len(op.outputs) - 1, -1, -1):
            value = op.output(slot)  # omitted results go with those behind them
            if value is not None and slot in droppable and _is_unused(graph, value):
                # Without its indices, ONNX Runtime's MaxPool treats NaN in another way.
                numerics = Numerics.FINITE if op.op_type == "MaxPool" else Numerics.EXACT
                ctx.edit(self.name, *_drop(graph, op, slot, value), numerics=numerics)

    def _branches(self, graph: Graph, op: Op, ctx: Context) -> None:
        """Drop the unused results of an If that are not the last, and what computes them in its branches."""
        kept = [k for k, v in enumerate(op.outputs) if v is not None and not _is_unused(graph, v)]
        names = [v.name for v in op.outputs if v is not None and _is_unused(graph, v)]
        fits = len(op.bodies) == 2 and all(len(body.outputs) == len(op.outputs) for body in op.bodies)

        def change() -> _Change:
            origin = Origin(op.label, op.entry)
            for body in op.bodies:
                for slot in reversed(range(len(op.outputs))):
                    if slot not in kept:
                        body.remove_output(slot)
                trim(body)
            return [origin], [rebuild(op, op.inputs, kept)]

        if fits and kept and len(kept) < len(op.outputs):
            ctx.edit(self.name, names, change)

    def _source(self, graph: Graph, value: Value, ctx: Context) -> None:
        """Drop an unused constant or capture."""

        def change() -> _Change:
            graph.drop(value)
            return (), ()

        ctx.edit(self.name, [value.name], change)

    def _functions(self, model: Model, ctx: Context) -> None:
        """Take out the functions that nothing calls, directly or through other functions."""
        for function in [model.functions[key] for key in model.uncalled()]:
            ctx.edit(self.name, *_forget(model, function))


# Results that may be omitted, and whose omission tells the operator nothing. Not those of BatchNormalization: until
# version 13 they are what says "training", and ONNX Runtime crashes on a later one in training that lacks them.
_OPTIONAL: dict[str, tuple[int, ...]] = {
    "Attention": (1, 2, 3),
    "Dropout": (1,),
    "GRU": (0, 1),
    "LSTM": (0, 1, 2),
    "LayerNormalization": (1, 2),
    "MaxPool": (1,),
    "RNN": (0, 1),
    "SoftmaxCrossEntropyLoss": (1,),
    "Unique": (1, 2, 3),
}


_PAST = (4, 5)
"""Operands of Attention: keys and values of before."""


def _is_unused(graph: Graph, value: Value) -> bool:
    return not graph.needs(value)


def _drop(graph: Graph, op: Op, slot: int, value: Value) -> tuple[list[str], Callable[[], _Change]]:
    def change() -> _Change:
        graph.drop_output(op, slot)
        return (), ()

    return [value.name], change


def _may_go_inside(graph: Graph, op: Op) -> bool:
    """True if the last result is unused and no more than what bodies return: all of If, scan outputs of Loop and Scan.

    What a loop carries is needed by its next turn.
    """
    last = len(op.outputs) - 1
    value = op.outputs[last]
    if op.domain or None in op.outputs or value is None or not _is_unused(graph, value):
        return False
    if op.op_type == "If":
        return all(len(body.outputs) == last + 1 for body in op.bodies)
    if len(op.bodies) != 1:
        return False
    body = op.bodies[0]
    if op.op_type == "Loop":
        return len(body.outputs) == last + 2 and last >= len(body.inputs) - 2
    if op.op_type == "Scan" and op.opset >= 9:
        states = len(body.inputs) - int(op.attr("num_scan_inputs", 0))
        listed = "scan_output_axes" in op.attrs or "scan_output_directions" in op.attrs
        return len(body.outputs) == last + 1 and last >= states and not listed
    return False


def _drop_inside(graph: Graph, op: Op) -> tuple[list[str], Callable[[], _Change]]:
    value = op.outputs[-1]
    assert value is not None

    def change() -> _Change:
        graph.drop_output(op, len(op.outputs) - 1)
        for body in op.bodies:
            body.remove_output(len(body.outputs) - 1)
        return (), ()

    return [value.name], change


def _forget(model: Model, function: Function) -> tuple[list[str], Callable[[], _Change]]:
    def change() -> _Change:
        del model.functions[function.key]
        return (), ()

    return [":".join(part for part in function.key if part)], change
