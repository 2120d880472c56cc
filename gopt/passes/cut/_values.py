"""Values asked for by name, and what an interface says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from ...errors import UsageError
from ...frontends.onnx.declare import declare as redeclare
from ...ir import Model, Op, OptionalType, Role, SequenceType, SparseTensorType, TensorType, Type, Value


def by_name(model: Model) -> dict[str, Value]:
    """The values of the main graph."""
    return {value.name: value for value in model.graph.values}


def find(model: Model, names: Iterable[str]) -> list[Value]:
    """The values of the main graph of these names, each once; `a,b` are two names unless it is one.

    Raises:
        UsageError: there is none of that name, or it lies in a body or function.
    """
    known = by_name(model)
    found: dict[Value, None] = {}
    for text in names:
        for name in [text] if text in known else map(str.strip, text.split(",")):
            if name not in known:
                raise UsageError(_missing(model, name, known))
            found[known[name]] = None
    return list(found)


def results(model: Model) -> Iterator[tuple[Op, Value]]:
    """What the ops of the main graph compute, in dataflow order."""
    for op in model.graph.ops:
        for value in op.outputs:
            if value is not None:
                yield op, value


def interface_type(value: Value) -> Type | None:
    """What an input or output may say of a value: what was inferred of its sizes; None if nothing is known.

    Of what an unknown operator computes the file alone knows the kind and the element type; its sizes are not believed.
    """
    if value.type is not None:
        return _reduced(value.type, sizes=True)
    return None if value.declared is None else _reduced(value.declared.type, sizes=False)


def declare(value: Value) -> None:
    """Let the interface say what was inferred of a value; documentation that the file has for it stays."""
    redeclare(value, interface_type(value))


def suggestion(name: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` with the names that somebody who wrote `name` may have meant, or nothing."""
    names = list(dict.fromkeys(k for k in known if k))
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    if not close:  # the end of a name is what people remember: /block/conv/Conv_output_0
        close = [n for n in names if name and name in n][:3]
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else ""


def _missing(model: Model, name: str, known: Iterable[str]) -> str:
    if inside := _place_inside(model, name):
        return inside
    is_node = any(op.name == name for op in model.graph.ops)
    return f"there is no value {name!r}" + ("; a node has that name" if is_node else suggestion(name, known))


def _place_inside(model: Model, name: str) -> str:
    """Why a value of a body or function cannot be had; "" if none has the name."""
    for graph in model.graph.walk():
        if graph.owner is None:
            continue
        if any(v.name == name and v.role is not Role.CAPTURE for v in graph.values):
            return f"value {name!r} lies in a body of {graph.owner.label}: it is no value of the model's own"
    for function in model.functions.values():
        for graph in function.graph.walk():
            if any(v.name == name for v in graph.values):
                return f"value {name!r} lies in the function {function.name!r}, which would have to be inlined first"
    return ""


def _reduced(type_: Type | None, sizes: bool) -> Type | None:
    """A type without what is known of elements, which an interface can't promise, and without sizes unless wanted."""
    match type_:
        case TensorType() | SparseTensorType():
            return type(type_)(type_.dtype, type_.shape if sizes else None)
        case SequenceType() | OptionalType():
            elem = _reduced(type_.elem, sizes)
            return None if elem is None else type(type_)(elem)
    return type_
