"""Arithmetic on scalars that become lists of one element behind it: done on lists from the start."""

from __future__ import annotations

from dataclasses import dataclass

from ... import ops
from ...ir import Graph, Model, Op, Value
from ...ops.shapes import tensor
from ...rewrite import Context, RejectError, Rewriter
from ..base import Pass, register
from ._elementwise import BINARY, again
from ._shapes import RESHAPES
from ._slices import indices_of

_LARGEST = 256
_LIST = (1,)


@register
@dataclass(frozen=True)
class Lift(Pass):
    """Unsqueeze(Add(Gather(s, 0), 1), 0) -> Add(Gather(s, [0]), 1)

    Looks from each Unsqueeze (or Reshape) of a scalar to a list for the elementwise ops on scalars that it depends on,
    and all that are connected with them, which may compute on lists of one element as well: a Gather then takes an
    index that is a list, a Squeeze falls away, a reduction keeps its dim. What needs a scalar behind them takes a
    Squeeze. Done where there are fewer ops afterwards. Exact.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Look from each such Unsqueeze."""
        for graph in tuple(model.graphs()):
            seen: dict[Value, None] = {}
            for op in graph.ops:
                if op.graph is graph and _is_exit(op) and (x := op.inputs[0]) is not None and x not in seen:
                    region = _Region(graph, x)
                    seen.update(region.values)
                    try:
                        region.lift(self.name, ctx)
                    except (RejectError, ops.NotAvailable) as why:
                        ctx.ledger.reject(self.name, op, str(why))


def _is_scalar(value: Value | None) -> bool:
    type_ = tensor(value)
    return type_ is not None and type_.shape == ()


def _is_exit(op: Op) -> bool:
    """True for what makes a list of one element of a scalar that is computed."""
    if op.domain or op.op_type not in RESHAPES or not _is_scalar(op.inputs[0]):
        return False
    type_ = tensor(op.result)
    return type_ is not None and type_.shape == _LIST and op.inputs[0] is not None and op.inputs[0].const is None


def _is_inner(op: Op) -> bool:
    """True for an elementwise op on scalars alone."""
    known = ops.opdef(op)
    if known is None or not known.elementwise or op.op_type == "Pow" or len(op.outputs) != 1:
        return False
    if op.op_type == "Clip" and any(v is not None and v.const is None for v in op.inputs[1:]):
        return False  # its bounds must be scalars
    return all(v is None or _is_scalar(v) for v in op.inputs) and _is_scalar(op.result)


def _takes_lists(op: Op) -> bool:
    """True for an op that broadcasts a list of one element as it does a scalar."""
    type_ = None if op.domain or op.op_type not in (*BINARY, "Where") else tensor(op.result)
    return type_ is not None and bool(type_.shape)


class _Region:
    """Connected elementwise ops on scalars.

    Attributes:
        values: the scalars that they take and give.
        inner: the ops.
    """

    def __init__(self, graph: Graph, start: Value) -> None:
        self.graph = graph
        self.values: dict[Value, None] = {}
        self.inner: dict[Op, None] = {}
        todo = [start]
        while todo:
            value = todo.pop()
            if value in self.values or value.const is not None:
                continue
            self.values[value] = None
            made = value.producer
            near = [use.op for use in value.uses] + ([made] if made is not None else [])
            for op in near:
                if op not in self.inner and _is_inner(op):
                    self.inner[op] = None
                    todo += [v for v in (*op.inputs, *op.outputs) if v is not None]

    def lift(self, rule: str, ctx: Context) -> None:
        """Make lists of all scalars if that leaves fewer ops."""
        if len(self.inner) > _LARGEST or not self.inner:
            raise RejectError("there is no arithmetic, or very much of it")
        order = [op for op in self.graph.ops if op in self.inner]
        rw = Rewriter(self.graph, order[0])
        lists: dict[Value, Value] = {}
        gain = 0
        for value in self.values:
            if value.producer not in self.inner:
                lists[value], gained = self._entry(rw, value)
                gain += gained
        for op in order:
            lists[op.result] = again(rw, op, lists)
        mapping: dict[Value, Value] = {}
        rebuilt: dict[Op, None] = {}
        for value, list_ in lists.items():
            needs_scalar = value.is_output
            for use in value.uses:
                if _is_exit(use.op):
                    mapping[use.op.result] = list_
                    gain += 1
                elif use.op in self.inner or use.op in rebuilt:
                    continue
                elif isinstance(use.slot, int) and _takes_lists(use.op):
                    rebuilt[use.op] = None
                else:
                    needs_scalar = True
            if needs_scalar and value.producer in self.inner:
                mapping[value] = rw.Squeeze(list_, [0])
                gain -= 1
        if gain < 1:
            raise RejectError("there would not be fewer ops")
        for op in rebuilt:
            mapping[op.result] = again(rw, op, {v: lists[v] for v in op.inputs if v in lists})
        ctx.replace(rule, mapping, rw.staged)

    def _entry(self, rw: Rewriter, value: Value) -> tuple[Value, int]:
        """A list of the scalar that comes from elsewhere, and how many ops fewer there are for it."""
        goes = not value.is_output and all(
            use.op in self.inner or _is_exit(use.op) or (isinstance(use.slot, int) and _takes_lists(use.op))
            for use in value.uses
        )
        op = value.producer
        found: Value
        if op is not None and not op.domain:
            source = op.inputs[0]
            shape = None if (type_ := tensor(source)) is None else type_.shape
            if op.op_type in RESHAPES and shape == _LIST and source is not None:
                return source, int(goes)
            if op.op_type == "Gather" and shape is not None and len(shape) == 1 and op.inputs[1] is not None:
                index = op.inputs[1]
                if index.const is not None:
                    found = rw.Gather(source, rw.const(indices_of(index).reshape(1), name="index"), name=op.name)
                    return found, int(goes) - 1
            if op.op_type.startswith("Reduce") and shape is not None and len(shape) == 1 and goes:
                found = again(rw, op, {}, keepdims=1)
                return found, 0
        found = rw.Unsqueeze(value, [0])
        return found, -1
