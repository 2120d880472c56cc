"""Calls of local functions give way to the functions' bodies (ONNX IR specification, "Functions")."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ...errors import ModelError
from ...ir import Attr, AttrKind, Function, FunctionKey, Graph, Model, Op
from ...ir.clone import Mapping, clone_ops, clone_value
from ...ops import is_current, operands, schema
from ...ops.schemas import Schema
from ...rewrite import Context
from ..base import Pass, option, register
from .splice import NodeNames, splice


@register(alias="inline-functions")
@dataclass(frozen=True)
class Functions(Pass):
    """f(x) -> the body of f, with x for its input; definitions that nobody calls any more go.

    A call stays where the function imports a version of a domain at which an op of its body is not known to mean what
    it means at the model's, where it was given a graph as an attribute, and where it would grow beyond `max_ops`.
    """

    max_ops: int = option(1_000_000, help="ops that one call may become, calls inside of it included")

    def run(self, model: Model, ctx: Context) -> None:
        """Inline what can be inlined.

        Raises:
            ModelError: a function calls itself, directly or through others.
        """
        if not model.functions:
            return
        sizes = _sizes(model)
        names = NodeNames()
        todo = deque(op for op in _all_ops(model.graph) if _called(model, op))
        while todo:
            op = todo.popleft()
            function = _called(model, op)
            if function is None or op.graph is None or sizes[function.key] > self.max_ops:
                continue
            came = _inline(model, ctx, self.name, op, function, names)
            todo.extend(o for made in came for o in _calls(model, made))
        _remove_unused(model, ctx, self.name)


def _called(model: Model, op: Op) -> Function | None:
    return model.functions.get((op.domain, op.op_type, op.overload))


def _calls(model: Model, op: Op) -> Iterator[Op]:
    """The calls at and inside an op."""
    if _called(model, op) is not None:
        yield op
    for body in op.bodies:
        for graph in body.walk():
            yield from (o for o in graph.ops if _called(model, o) is not None)


def _all_ops(graph: Graph) -> Iterator[Op]:
    for inner in graph.walk():
        yield from inner.ops


def _sizes(model: Model) -> dict[FunctionKey, int]:
    """Ops that each function comes to once everything that it calls is inlined."""
    below: dict[FunctionKey, list[FunctionKey]] = {}
    own: dict[FunctionKey, int] = {}
    for key, function in model.functions.items():
        ops = list(_all_ops(function.graph))
        own[key] = len(ops)
        below[key] = [f.key for op in ops if (f := _called(model, op)) is not None]
    sizes: dict[FunctionKey, int] = {}
    for start in model.functions:
        path: dict[FunctionKey, None] = {}
        stack = [start]
        while stack:
            key = stack[-1]
            waiting = [k for k in dict.fromkeys(below[key]) if k not in sizes]
            if key in sizes or not waiting:
                stack.pop()
                path.pop(key, None)
                sizes[key] = own[key] + sum(sizes[k] for k in below[key])
                continue
            path[key] = None
            if (again := next((k for k in waiting if k in path), None)) is not None:
                raise ModelError(f"function {_label(again)} calls itself" + _through(list(path), again))
            stack.append(waiting[0])
    return sizes


def _through(path: Sequence[FunctionKey], start: FunctionKey) -> str:
    cycle = path[path.index(start) + 1 :]
    return f", through {', '.join(map(_label, cycle))}" if cycle else ""


def _label(key: FunctionKey) -> str:
    domain, name, overload = key
    return (f"{domain}::" if domain else "") + name + (f":{overload}" if overload else "")


def _keeps_meaning(model: Model, op: Op, theirs: dict[str, int]) -> bool:
    """True if a detached copy of a body's op means at the model's versions what the op means at the function's."""
    want, have = theirs.get(op.domain), model.opsets.get(op.domain)
    if want is not None and have is not None and want != have and _called(model, op) is None:
        known = schema(op.op_type, op.domain)
        if known is None or not known.available(have):
            return False
        if _since(known.since, want) != _since(known.since, have) and not _means_the_same(op, known, want, have):
            return False
    inside = (o for body in op.bodies for o in _all_ops(body))
    return all(_is_same_version(model, o, theirs) for o in inside)


def _is_same_version(model: Model, op: Op, theirs: dict[str, int]) -> bool:
    want, have = theirs.get(op.domain), model.opsets.get(op.domain)
    if want is None or have is None or want == have or _called(model, op) is not None:
        return True
    known = schema(op.op_type, op.domain)
    return known is not None and known.available(have) and _since(known.since, want) == _since(known.since, have)


def _means_the_same(op: Op, known: Schema, want: int, have: int) -> bool:
    """True if the op is written and computes alike at both versions, of which the model's must be the later one.

    Most versions of an operator only take more types than the one before.
    """
    if have < want or any(not known.has_attribute(name, have) for name in op.attrs):
        return False
    defaults = [n for n in known.kinds if n not in op.attrs and known.has_attribute(n, want)]
    if any(known.default(n, want) != known.default(n, have) for n in defaults):
        return False
    imports = op.imports
    op.imports = {op.domain: want}
    same = is_current(op) and operands(op) == op.inputs
    op.imports = imports
    return same and is_current(op)


def _since(versions: Iterable[int], version: int) -> int:
    return max((v for v in versions if v <= version), default=0)


def _inline(model: Model, ctx: Context, rule: str, op: Op, function: Function, names: NodeNames) -> list[Op]:
    """Put the body in the place of a call; returns the ops that came, none if the call stays."""
    graph, body = op.graph, function.graph
    assert graph is not None
    used = {a.ref for o in _all_ops(body) for a in o.attrs.values() if a.ref}
    given = {name: attr for name, attr in {**function.defaults, **op.attrs}.items() if name in used}
    if len(op.inputs) > len(body.inputs) or len(op.outputs) > len(body.outputs):
        return []
    if any(a.kind in (AttrKind.GRAPH, AttrKind.GRAPHS) for a in given.values()):
        return []

    def substitute(attr: Attr) -> Attr | None:
        found = given.get(attr.ref)
        return None if found is None else Attr(found.kind, found.value, found.ref)

    mapping: Mapping = {v: op.input(k) for k, v in enumerate(body.inputs)}
    try:
        staged = clone_ops(body, graph, mapping, substitute)
    except KeyError:  # A body inside exports an input that the call omits.
        return []
    results = [v for v in (clone_value(o, graph, mapping) for o in body.outputs[: len(op.outputs)]) if v is not None]
    if len(results) < len(op.outputs) or not all(_keeps_meaning(model, made, body.opsets) for made in staged):
        return []
    for made in staged:
        if op.name and made.name:
            made.name = f"{op.name}/{made.name}"
    if not splice(ctx, rule, op, staged, results, names):
        return []
    for domain, version in body.opsets.items():
        graph.opsets.setdefault(domain, version)
    return staged


def _remove_unused(model: Model, ctx: Context, rule: str) -> None:
    """Take out the functions that no op of the model calls, directly or through other functions."""
    needed: dict[FunctionKey, None] = {}
    todo = [model.graph]
    while todo:
        for op in _all_ops(todo.pop()):
            function = _called(model, op)
            if function is not None and function.key not in needed:
                needed[function.key] = None
                todo.append(function.graph)
    for key in [k for k in model.functions if k not in needed]:

        def change(key: FunctionKey = key) -> tuple[Sequence[Op], Sequence[Op]]:
            del model.functions[key]
            return (), ()

        ctx.edit(rule, [_label(key)], change)
