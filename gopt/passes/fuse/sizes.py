"""Sizes by the fewest ops: Shape of a tensor that has them, and Concat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...errors import GoptError
from ...ir import Dim, DType, Graph, Model, Op, Symbol, TensorType, Value
from ...ops import attribute
from ...rewrite import Context, Rewriter
from ..base import Pass, register

_SHAPE_15 = 15  # before, Shape gives all dims


@register
@dataclass(frozen=True)
class Sizes(Pass):
    """Concat(Unsqueeze(Gather(Shape(x), i)), ...) -> Concat(Shape(x, start, end), ...)

    Applies to lists of 64-bit integers that inference knows in full, as numbers and dims, and that other ops than those
    that compute sizes take: they are put together from parts of shapes, lists of one element that are there, and
    constants, where that takes fewer ops than go for it. Lists whose computations overlap are decided on together.
    Exact.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Each graph for itself."""
        for graph in tuple(model.graphs()):
            sinks = [v for op in graph.ops for v in op.outputs if v is not None and _is_sink(v)]
            if sinks:
                _Planner(graph).rewrite(self.name, sinks, ctx)


def _elements(value: Value | None) -> tuple[Dim, ...] | None:
    """What a list or scalar of 64-bit integers holds, if that is known in full and not by numbers alone."""
    type_ = None if value is None else value.type
    if type(type_) is not TensorType or type_.dtype is not DType.INT64 or type_.elements is None:
        return None
    if type_.rank not in (0, 1) or not any(isinstance(e, Symbol) for e in type_.elements) or None in type_.elements:
        return None
    return type_.elements  # type: ignore[return-value]  # of integers, and known


def _computes_sizes(op: Op) -> bool:
    return all(v is None or (type(v.type) is TensorType and v.type.elements is not None) for v in op.outputs)


def _is_sink(value: Value) -> bool:
    """True if something else than the computation of further sizes takes the list."""
    if _elements(value) is None:
        return False
    return value.is_output or any(not isinstance(use.slot, int) or not _computes_sizes(use.op) for use in value.uses)


@dataclass(frozen=True)
class _Part:
    """Dims `start` to `end` of the shape of a tensor; of no tensor: numbers; with `end` 0: a list that is there."""

    source: Value | None
    start: int = 0
    end: int = 0
    numbers: tuple[int, ...] = ()


def _whole(part: _Part) -> _Part:
    """All dims of the tensor that a part is of."""
    assert part.source is not None
    return _Part(part.source, 0, len(part.source.type.shape))  # type: ignore[union-attr, arg-type]  # it is known


@dataclass
class _Plan:
    """How to put a sink together."""

    sink: Value
    parts: list[_Part]
    chain: dict[Op, None] = field(default_factory=dict)

    def ops(self, opset: int, shapes: dict[_Part, Value]) -> Iterator[object]:
        """A key for each op that it takes; plans share ops of equal keys."""
        for part in self.parts:
            if part.source is None or not part.end or part in shapes:
                continue
            whole = _whole(part)
            if opset >= _SHAPE_15 or part == whole:
                yield part
            else:
                if whole not in shapes:
                    yield whole
                yield ("slice", part)
        if len(self.parts) > 1 or self.sink.type.rank == 0:  # type: ignore[union-attr]
            yield self.sink  # Concat, or Squeeze


class _Planner:
    """One graph: where each dim can be read, and what is worth it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.opset = graph.opsets.get("", 0)
        self.place = {op: k for k, op in enumerate(graph.ops)}
        self.sources: dict[Symbol, list[Value]] = {}
        self.lists: dict[Dim, Value] = {}
        self.shapes: dict[_Part, Value] = {}
        self.replaced: dict[Value, Value] = {}
        seen: dict[tuple[Dim, ...], None] = {}
        for value in (*graph.inputs, *(v for op in graph.ops for v in op.outputs if v is not None)):
            self._note(value, seen)

    def _note(self, value: Value, seen: dict[tuple[Dim, ...], None]) -> None:
        type_ = value.type
        if type(type_) is not TensorType or not type_.shape:
            return
        elements = _elements(value)
        if elements is not None and len(elements) == 1 and type_.rank == 1:
            self.lists.setdefault(elements[0], value)
        producer = value.producer
        if producer is not None and producer.op_type == "Shape" and not producer.domain and elements is not None:
            source = producer.inputs[0]
            rank = len(source.type.shape or ()) if source is not None and type(source.type) is TensorType else 0
            start, end, _ = slice(attribute(producer, "start") or 0, attribute(producer, "end")).indices(rank)
            self.shapes.setdefault(_Part(source, start, end), value)
        if type_.shape in seen or type_.elements is not None:
            return
        seen[type_.shape] = None
        for dim in dict.fromkeys(type_.shape):
            if isinstance(dim, Symbol):
                self.sources.setdefault(dim, []).append(value)

    def rewrite(self, rule: str, sinks: Sequence[Value], ctx: Context) -> None:
        """Decide on groups of sinks whose computations overlap, then on the sinks of the groups that did not pay."""
        plans = [plan for sink in sinks if (plan := self._plan(sink)) is not None]
        for group in _groups(plans):
            accepted = [group] if self._pays(group) else [[p] for p in group if len(group) > 1 and self._pays([p])]
            for plan in (p for some in accepted for p in some):
                if plan.sink.graph is self.graph and plan.sink.is_needed:
                    self._commit(rule, plan, ctx)

    # -- planning ---------------------------------------------------------------------------------------------------

    def _plan(self, sink: Value) -> _Plan | None:
        elements = _elements(sink)
        assert elements is not None
        assert sink.producer is not None
        before = self.place[sink.producer]
        parts: list[_Part] = []
        at = 0
        while at < len(elements):
            part, length = self._part(elements, at, before)
            if part is None:
                return None
            parts.append(part)
            at += length
        if any(p.source is sink for p in parts):
            return None
        if sink.is_output and len(parts) == 1 and sink.type.rank == 1:  # type: ignore[union-attr]
            return None  # it might become a value that is there, and an output needs one of its own
        plan = _Plan(sink, parts)
        todo = [sink.producer]
        while todo:
            op = todo.pop()
            if op in plan.chain or not _computes_sizes(op):
                continue
            plan.chain[op] = None
            todo += [made for v in op.inputs if v is not None and (made := v.producer) is not None]
        return plan

    def _part(self, elements: tuple[Dim, ...], at: int, before: int) -> tuple[_Part | None, int]:
        """The longest part that begins at an element."""
        first = elements[at]
        numbers = at
        while numbers < len(elements) and isinstance(elements[numbers], int):
            numbers += 1
        best, length = None, 0
        symbol = elements[numbers] if numbers < len(elements) else None
        for source in self.sources.get(symbol, ()) if isinstance(symbol, Symbol) else ():
            if source.producer is not None and self.place[source.producer] >= before:
                break  # they stand in dataflow order
            found = _longest(source.type.shape, elements, at)  # type: ignore[union-attr, arg-type]
            if found[1] > length:
                best, length = _Part(source, found[0], found[0] + found[1]), found[1]
        if best is not None and (not isinstance(first, int) or length == len(elements)):
            return best, length
        if isinstance(first, int):
            return _Part(None, numbers=elements[at:numbers]), numbers - at  # type: ignore[arg-type]  # integers
        there = self.lists.get(first)
        if there is None or (there.producer is not None and self.place[there.producer] >= before):
            return None, 0
        return _Part(there), 1

    def _pays(self, plans: Sequence[_Plan]) -> bool:
        """True if the plans together take fewer ops than die for them."""
        made = {key for plan in plans for key in plan.ops(self.opset, self.shapes)}
        kept = {p.source for plan in plans for p in plan.parts if p.source is not None and not p.end}
        for part in (p for plan in plans for p in plan.parts if p.source is not None and p.end):
            kept |= {self.shapes[p] for p in (part, _whole(part)) if p in self.shapes}
        replaced = {plan.sink for plan in plans}
        chain = sorted({op for plan in plans for op in plan.chain}, key=self.place.__getitem__, reverse=True)
        dead: set[Op] = set()
        for op in chain:
            values = [v for v in op.outputs if v is not None]
            if all(
                v in replaced
                or (v not in kept and not v.is_output and all(isinstance(u.slot, int) and u.op in dead for u in v.uses))
                for v in values
            ) and not any(v in kept for v in values):
                dead.add(op)
        return len(made) < len(dead)

    # -- making -----------------------------------------------------------------------------------------------------

    def _commit(self, rule: str, plan: _Plan, ctx: Context) -> None:
        root = plan.sink.producer
        assert root is not None
        rw = Rewriter(self.graph, root)
        made: dict[_Part, Value] = {}
        sources = [self.replaced.get(p.source, p.source) for p in plan.parts if p.source is not None]
        if any(source.graph is not self.graph for source in sources):
            return  # one died with another sink
        if any(self.shapes[key].graph is not self.graph for key in self._wanted(plan) if key in self.shapes):
            return  # it counted on a Shape that died likewise
        try:
            values = [self._value(rw, part, made) for part in plan.parts]
            result = values[0] if len(values) == 1 else rw.Concat(*values, axis=0)
            if plan.sink.type.rank == 0:  # type: ignore[union-attr]
                result = rw.Squeeze(result, [0])
        except GoptError as error:
            ctx.ledger.reject(rule, root, str(error))
            return
        if ctx.replace(rule, {plan.sink: result}, rw.staged):
            self.replaced[plan.sink] = result
            self.shapes.update((part, value) for part, value in made.items() if value.graph is self.graph)

    @staticmethod
    def _wanted(plan: _Plan) -> Iterator[_Part]:
        """The parts of shapes, and whole shapes, that may be there already."""
        for part in plan.parts:
            if part.source is not None and part.end:
                yield from (part, _whole(part))

    def _value(self, rw: Rewriter, part: _Part, made: dict[_Part, Value]) -> Value:
        if part.source is None:
            return rw.const(part.numbers, like=DType.INT64)
        if not part.end:
            return self.replaced.get(part.source, part.source)
        there = self.shapes.get(part)
        if there is not None and there.graph is self.graph:  # it may have died with another sink
            return there
        if part in made:
            return made[part]
        whole = _whole(part)
        if part == whole:
            made[part] = rw.Shape(part.source)
        elif self.opset >= _SHAPE_15:
            made[part] = rw.Shape(part.source, start=part.start, end=part.end)
        else:
            made[part] = rw.Slice(self._value(rw, whole, made), [part.start], [part.end], [0])
        return made[part]


def _longest(shape: Sequence[Dim], elements: tuple[Dim, ...], at: int) -> tuple[int, int]:
    """Where in a shape the longest run of elements from `at` on stands, and its length."""
    best = (0, 0)
    for start, dim in enumerate(shape):
        if dim is not elements[at] and dim != elements[at]:
            continue
        length = 1
        while (
            at + length < len(elements)
            and start + length < len(shape)
            and (shape[start + length] is elements[at + length] or shape[start + length] == elements[at + length])
        ):
            length += 1
        if length > best[1]:
            best = (start, length)
    return best


def _groups(plans: Sequence[_Plan]) -> list[list[_Plan]]:
    """Plans whose sinks are computed by common ops, in dataflow order of the first."""
    owner: dict[Op, int] = {}
    groups: dict[int, list[_Plan]] = {}
    for number, plan in enumerate(plans):
        met = sorted({owner[op] for op in plan.chain if op in owner})
        merged = [plan]
        for other in reversed(met):
            merged = groups.pop(other) + merged
        target = met[0] if met else number
        groups[target] = merged
        for member in merged:
            owner.update(dict.fromkeys(member.chain, target))
    return [groups[k] for k in sorted(groups)]
