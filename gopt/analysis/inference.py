"""Type inference: a sweep over all ops the first time, later only over what changed and what that changes.

Symbols: a named dim of the model's interface is one symbol throughout; an unknown size is a fresh one. A value's type
is a claim that must hold in every run, so that what is not certain is left unknown, and declared types of anything but
inputs are never believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

from ..errors import GoptError
from ..ir import (
    DType,
    Function,
    FunctionKey,
    Graph,
    Model,
    Op,
    OptionalType,
    Role,
    SequenceType,
    Symbol,
    TensorType,
    Type,
    Value,
)
from ..ops import is_current, opdef, schema
from ..ops.content_rules import may_hold, with_contents
from ..ops.versions import CHANGED
from .bodies import infer_bodies
from .joins import settled

# Whatever a malformed op makes a shape rule raise; what that says of the op is that nothing is known of its results.
_RULE_ERRORS = (GoptError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def infer(model: Model) -> list[Op]:
    """Bring the types of all values up to date: those that ops marked dirty in their graphs have changed.

    A formal input of the model that has no type gets the declared one. Results of unknown operators have the type None,
    and so have those of malformed ops: nothing is raised for them.

    Returns:
        The ops whose results have other types now.

    Raises:
        GraphError: a graph has a cycle.
    """
    run = Inference(model)
    run.whole_model(model)
    return list(run.retyped)


def infer_op(op: Op) -> None:
    """Set the types of one op's results, also of a detached op, from those of its operands."""
    Inference().op(op)


def forget(model: Model) -> None:
    """Drop all types, so that the next `infer` finds them anew: for a pass that changes what values hold."""
    for graph in model.graphs():
        for value in graph.values:
            value.type = None
        graph.dirty.update(dict.fromkeys(graph.ops))
        graph.version += 1  # whoever looked at the types must look again


class Inference:
    """One run of inference.

    Attributes:
        retyped: ops whose results got other types, in the order in which that happened.
    """

    def __init__(self, model: Model | None = None) -> None:
        self.retyped: dict[Op, None] = {}
        self._functions: Mapping[FunctionKey, Function] = {} if model is None else model.functions
        self._calls: Counter[FunctionKey] = Counter()
        self._entered: set[FunctionKey] = set()

    def whole_model(self, model: Model) -> None:
        """All graphs of a model."""
        for value in model.graph.inputs:
            if value.type is None and value.declared is not None:
                retype(value, _declared(model, value.declared.type))
        if self._functions:
            self._note_calls(model)
        self.graph(model.graph)
        for function in self._functions.values():
            self.graph(function.graph)

    def graph(self, graph: Graph) -> None:
        """What is dirty in a graph and the bodies below it, and what follows from that."""
        for owner in graph.owners:
            if any(map(_is_stale, owner.bodies)):
                graph.dirty[owner] = None
        for value in graph.outputs:
            type_of(value)
        if not graph.dirty:
            return
        ops = graph.ops
        if 2 * len(graph.dirty) >= len(ops):
            for op in ops:
                self.op(op)
        else:
            self._propagate(graph, ops)
        graph.dirty.clear()

    def _propagate(self, graph: Graph, ops: tuple[Op, ...]) -> None:
        """From the dirty ops down, as long as types change. Each op is inferred once: after all that it depends on."""
        place = {op: k for k, op in enumerate(ops)}
        queued = {place[op] for op in graph.dirty}
        heap = sorted(queued)
        heapify(heap)
        while heap:
            op = ops[heappop(heap)]
            changed = self.op(op)
            for value in op.outputs:
                if value is None or value not in changed:
                    continue
                for user in graph.users(value):
                    later = place[user]
                    if later not in queued:
                        queued.add(later)
                        heappush(heap, later)

    def op(self, op: Op) -> list[Value]:
        """One op; returns the results whose types changed."""
        for value in op.inputs:
            if value is not None and value.type is None:
                type_of(value)
        known = opdef(op)
        results: Sequence[Type | None]
        if op.bodies:
            results = infer_bodies(self, op)
        elif self._functions and (op.domain, op.op_type, op.overload) in self._functions:
            results = self._call(op, self._functions[op.domain, op.op_type, op.overload])
        elif known is not None and known.infer is not None and (op.op_type not in CHANGED or is_current(op)):
            try:
                results = known.infer(op)
            except _RULE_ERRORS:
                results = ()
        else:
            results = self._by_onnx(op)
        if not op.bodies and not op.domain:
            results = with_contents(op, results) if may_hold(op) else results
        return self._assign(op, results)

    def _assign(self, op: Op, results: Sequence[Type | None]) -> list[Value]:
        changed: list[Value] = []
        count = len(results)
        for k, value in enumerate(op.outputs):
            if value is None:
                continue
            new = results[k] if k < count else None
            old = value.type
            if new is old or new == old:
                continue
            if old is not None and new is not None:
                new = settled(old, new, [v.type for v in op.inputs if v is not None])
                if new is old:
                    continue
            value.type = new
            changed.append(value)
        if changed:
            self.retyped[op] = None
        return changed

    @staticmethod
    def _by_onnx(op: Op) -> Sequence[Type | None]:
        if schema(op.op_type, op.domain) is None:
            return ()
        from .onnx_infer import infer_node

        return infer_node(op)

    # -- local functions --------------------------------------------------------------------------------------------

    def _note_calls(self, model: Model) -> None:
        """Count the calls of each function; a call must be looked at again if the function's body was changed."""
        sites: dict[FunctionKey, Op] = {}
        for op in _all_ops(model):
            key = (op.domain, op.op_type, op.overload)
            if key in self._functions:
                self._calls[key] += 1
                sites[key] = op
        for key, function in self._functions.items():
            if self._calls[key] != 1:
                for value in function.graph.inputs:
                    retype(value, None)
        stale = [key for key, f in self._functions.items() if key in sites and _is_stale(f.graph)]
        seen = set(stale)
        while stale:
            site = sites[stale.pop()]
            if site.graph is None:
                continue
            site.graph.dirty[site] = None
            for key, function in self._functions.items():
                if key not in seen and key in sites and _is_stale(function.graph):
                    seen.add(key)
                    stale.append(key)

    def _call(self, op: Op, function: Function) -> Sequence[Type | None]:
        """Types of a body must hold for all calls, so that only a function with one call can be looked into."""
        key = function.key
        if self._calls[key] != 1 or key in self._entered:
            return ()
        self._entered.add(key)
        for k, value in enumerate(function.graph.inputs):
            given = op.input(k)
            retype(value, None if given is None else given.type)
        self.graph(function.graph)
        self._entered.discard(key)
        return [value.type for value in function.graph.outputs]


def type_of(value: Value) -> Type | None:
    """The type of a value; that of a constant is found from its tensor when first asked for."""
    if value.type is None and value.role is not Role.RESULT:
        constant = value.const
        if constant is not None:
            value.type = TensorType(constant.dtype, constant.shape)
    return value.type


def retype(value: Value, type_: Type | None) -> None:
    """Give a formal input or a captured value its type; what uses it is dirty if that is another one."""
    if value.type is type_ or value.type == type_:
        return
    value.type = type_
    if value.graph is not None:
        value.graph.dirty.update(dict.fromkeys(value.graph.users(value)))


def _declared(model: Model, type_: Type | None) -> Type | None:
    """A declared input type with its named dims interned; sizes that are not positive are unknown."""
    if isinstance(type_, (SequenceType, OptionalType)):
        elem = _declared(model, type_.elem)
        return None if elem is None else type(type_)(elem)
    if not isinstance(type_, TensorType) or type_.shape is None:
        return type_
    if type_.dtype is DType.UNDEFINED:
        return None
    dims = [
        (d if d > 0 else Symbol(least=1)) if isinstance(d, int) else model.symbol(d.name) if d.name else Symbol(least=1)
        for d in type_.shape
    ]
    return TensorType(type_.dtype, tuple(dims))


def _is_stale(graph: Graph) -> bool:
    return bool(graph.dirty) or any(_is_stale(body) for owner in graph.owners for body in owner.bodies)


def _all_ops(model: Model) -> Iterator[Op]:
    for graph in model.graphs():
        yield from graph.ops
