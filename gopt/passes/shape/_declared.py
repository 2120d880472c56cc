"""Declarations after the sizes of inputs have changed: what inference proves, nothing that may have become false."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from ... import analysis
from ...frontends.onnx.declare import declare, drop_repeats
from ...ir import Dim, Graph, Model, Op, Role, Symbol, TensorType, Type, Value


def reinfer(model: Model) -> None:
    """Find all types anew; what looks at a graph is told that all of its ops have changed."""
    analysis.forget(model)
    analysis.infer(model)
    for graph in model.graphs():
        for listener in graph.listeners:
            for op in graph.ops:
                listener.operand_changed(op, None)


def dependents(graph: Graph, changed: Iterable[Value]) -> dict[Value, None]:
    """The values of a graph and the bodies below it whose types may rest on these values, themselves included."""
    found: dict[Value, None] = dict.fromkeys(changed)
    todo = list(found)
    seen: dict[Op, None] = {}
    while todo:
        for op in graph.users(todo.pop()):
            if op in seen:
                continue
            seen[op] = None
            new = [v for v in op.outputs if v is not None and v not in found]
            found.update(dict.fromkeys(new))
            todo += new
            for body in op.bodies:
                for inner in body.walk():
                    found.update(dict.fromkeys(inner.values))
    return found


def redeclare(model: Model, changed: Iterable[Value], gone: Collection[str] = ()) -> None:
    """Declare the values that depend on changed inputs as they are inferred now.

    An output keeps its element type and the names of unproven dims; a number that inference cannot confirm is dropped,
    and so is a declaration in value_info of a value about which nothing is known.

    Args:
        model: its types must be up to date.
        changed: the inputs of other types, or what stands in their place.
        gone: names of dims that mean nothing any more.
    """
    stale = dependents(model.graph, changed)
    # A size that is one of an input's is proven to be; where it is not, the name may say something false.
    gone = {*gone, *_names(model)}
    for graph in model.graphs():
        of_function = graph.owner is None and graph is not model.graph
        touched = False
        for value in graph.values:
            if value.declared is None or value.role in (Role.CONST, Role.CAPTURE):
                continue
            if graph is model.graph and value.role is Role.INPUT:
                continue
            if of_function or value in stale:
                _declare(model, value, gone, keep=value.is_output or value.role is Role.INPUT)
                touched = True
        if touched:
            drop_repeats(graph)


def _names(model: Model) -> Iterator[str]:
    """Names of dims of the inputs."""
    for value in model.graph.inputs:
        if isinstance(value.type, TensorType) and value.type.shape is not None:
            yield from (dim.name for dim in value.type.shape if isinstance(dim, Symbol) and dim.name)


def declare_proven(model: Model) -> bool:
    """Declare what inference proves of the sizes of outputs; what it does not know stays as it is declared."""
    changed = False
    for value in dict.fromkeys(model.graph.outputs):
        said = None if value.declared is None else value.declared.type
        if not isinstance(value.type, TensorType) or value.type.shape is None or value.role is not Role.RESULT:
            continue
        if not isinstance(said, TensorType) or said.dtype is not value.type.dtype:
            continue
        old = said.shape if said.shape is not None and len(said.shape) == len(value.type.shape) else None
        dims = [_better(model, dim, None if old is None else old[k]) for k, dim in enumerate(value.type.shape)]
        if old is None or any(a is not b and a != b for a, b in zip(dims, old)):
            declare(value, TensorType(said.dtype, tuple(dims)))
            changed = True
    return changed


def _better(model: Model, dim: Dim, said: Dim | None) -> Dim:
    known = isinstance(dim, int) or (dim.name and model.symbols.get(dim.name) is dim)
    return dim if known else Symbol() if said is None else said


def _declare(model: Model, value: Value, gone: Collection[str], keep: bool) -> None:
    assert value.declared is not None
    said = value.declared.type
    if isinstance(value.type, TensorType) and (said is None or isinstance(said, TensorType)):
        declare(value, _proven(model, value.type, said, gone))
    elif keep:
        declare(value, _without_numbers(said, gone))
    else:
        value.declared = None


def _proven(model: Model, type_: TensorType, said: TensorType | None, gone: Collection[str]) -> Type:
    if type_.shape is None:
        return (None if said is None else _without_numbers(said, gone)) or type_
    old = said.shape if said is not None and said.shape is not None and len(said.shape) == len(type_.shape) else None
    return TensorType(
        type_.dtype, tuple(_dim(model, dim, None if old is None else old[k], gone) for k, dim in enumerate(type_.shape))
    )


def _dim(model: Model, dim: Dim, said: Dim | None, gone: Collection[str]) -> Dim:
    if isinstance(dim, int):
        return dim
    if dim.name and model.symbols.get(dim.name) is dim:
        return dim
    return said if isinstance(said, Symbol) and said.name not in gone else Symbol()


def _without_numbers(type_: Type | None, gone: Collection[str]) -> Type | None:
    if not isinstance(type_, TensorType) or type_.shape is None:
        return type_
    return TensorType(type_.dtype, tuple(_dim_said(dim, gone) for dim in type_.shape))


def _dim_said(dim: Dim, gone: Collection[str]) -> Dim:
    return dim if isinstance(dim, Symbol) and dim.name not in gone else Symbol()
