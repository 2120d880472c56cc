"""`gopt inspect`: what a model consists of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ..ir import (
    FileTensor,
    Graph,
    MapType,
    Model,
    OpaqueType,
    OptionalType,
    Role,
    SequenceType,
    Symbol,
    TensorType,
    Type,
    Value,
)
from .options import json_flag, model_argument
from .text import columns, emit, emit_json, printable, size


@click.command("inspect", epilog="Example: gopt inspect model.onnx")
@model_argument
@click.option("--text", "as_text", is_flag=True, help="Print the whole graph as text, weights elided.")
@click.option("--top", type=click.IntRange(min=0), default=8, show_default=True, help="How many weights to list.")
@json_flag
def command(model: Path, as_text: bool, top: int, as_json: bool) -> None:
    """Show what MODEL consists of: ops by type, inputs and outputs, opsets, bytes, functions, dynamic dims, weights."""
    from ..api import load

    loaded = load(model)
    if as_text:
        from ..ir.printer import to_text

        text = to_text(loaded)
        emit_json({"text": text}) if as_json else emit(text)
        return
    facts = describe(loaded, model, top)
    emit_json(facts) if as_json else emit("\n".join(lines(facts)))


def describe(model: Model, path: Path, top: int = 8) -> dict[str, Any]:
    """The facts in plain types."""
    graphs = list(model.graphs())
    constants = [(graph, value) for graph in graphs for value in graph.constants]
    external = {
        (str(t.path), t.offset): t.length for _, value in constants if isinstance(t := value.tensor, FileTensor)
    }
    ops = Counter(kind_of(op) for graph in graphs for op in graph.ops)
    return {
        "model": str(path),
        "graph": model.graph.name,
        "ir_version": model.ir_version,
        "opsets": {domain or "ai.onnx": version for domain, version in model.opsets.items()},
        "bytes": path.stat().st_size,
        "external_bytes": sum(external.values()),
        "ops": dict(sorted(ops.items(), key=lambda item: (-item[1], item[0]))),
        "ops_total": sum(ops.values()),
        "bodies": sum(graph.owner is not None for graph in graphs),
        "constants": len(constants),
        "constant_bytes": sum(_nbytes(value) for _, value in constants),
        "functions": [
            {"domain": f.domain, "name": f.name, "overload": f.overload, "ops": len(f.graph)}
            for f in model.functions.values()
        ],
        "inputs": [_port(value) for value in model.graph.inputs],
        "outputs": [_port(value) for value in model.graph.outputs],
        "dynamic_dims": dynamic_dims(model.graph),
        "largest_constants": [
            {"name": v.name, "type": _tensor_text(v), "bytes": _nbytes(v), "users": _users(g, v)}
            for g, v in sorted(constants, key=lambda item: -_nbytes(item[1]))[:top]
        ],
    }


def lines(facts: dict[str, Any]) -> Iterator[str]:
    """The facts as text."""
    outside = f", and {size(facts['external_bytes'])} in external files" if facts["external_bytes"] else ""
    opsets = ", ".join(f"{domain} {version}" for domain, version in facts["opsets"].items())
    yield printable(f"{facts['model']}: {size(facts['bytes'])}{outside}")
    yield printable(f"  ONNX IR {facts['ir_version']}, opsets: {opsets}")
    bodies = f", {facts['bodies']} bodies of control flow" if facts["bodies"] else ""
    yield f"  {facts['ops_total']} ops, {facts['constants']} constants of {size(facts['constant_bytes'])}{bodies}"
    for kind in ("inputs", "outputs"):
        yield f"\n{kind}"
        yield from columns([p["name"], p["type"], "has a default" if p["default"] else ""] for p in facts[kind])
    if facts["dynamic_dims"]:
        yield "\ndynamic dims"
        yield from columns([name, ", ".join(places)] for name, places in facts["dynamic_dims"].items())
    if facts["functions"]:
        yield "\nfunctions"
        yield from columns([f"{f['domain']}::{f['name']}", f"{f['ops']} ops"] for f in facts["functions"])
    yield "\nops"
    yield from columns(([kind, str(count)] for kind, count in facts["ops"].items()), right=[1])
    if facts["largest_constants"]:
        yield "\nlargest constants"
        rows = [[c["name"], c["type"], size(c["bytes"]), ", ".join(c["users"])] for c in facts["largest_constants"]]
        yield from columns(rows, right=[2])


def kind_of(op: Any) -> str:
    """An op's type with its domain, as tables show it."""
    return f"{op.domain}::{op.op_type}" if op.domain else str(op.op_type)


def dynamic_dims(graph: Graph) -> dict[str, list[str]]:
    """Sizes that the inputs leave open, and where they stand (`input.axis`); nameless ones under their place."""
    found: dict[str, list[str]] = {}
    for value in graph.inputs:
        declared = _declared(value)
        if not isinstance(declared, TensorType):
            continue
        for axis, dim in enumerate(declared.shape or ()):
            if isinstance(dim, Symbol) or dim <= 0:
                place = f"{value.name}.{axis}"
                name = dim.name if isinstance(dim, Symbol) and dim.name else place
                found.setdefault(name, []).append(place)
    return found


def type_text(type_: Type | None) -> str:
    """A declared type for people: float[batch,3,224,224]."""
    match type_:
        case None:
            return "unknown"
        case SequenceType():
            return f"sequence of {type_text(type_.elem)}"
        case OptionalType():
            return f"optional {type_text(type_.elem)}"
        case MapType():
            return f"map of {type_.key.name.lower()} to {type_text(type_.value)}"
        case OpaqueType():
            return f"opaque {type_.domain}::{type_.name}"
        case TensorType():
            return str(type_)
    return f"sparse {TensorType(type_.dtype, type_.shape)}"


def _port(value: Value) -> dict[str, Any]:
    has_default = value.role is Role.INPUT and value.tensor is not None
    return {"name": value.name, "type": type_text(_declared(value)), "default": has_default}


def _declared(value: Value) -> Type | None:
    return value.declared.type if value.declared is not None else None


def _nbytes(value: Value) -> int:
    return value.tensor.nbytes if value.tensor is not None else 0


def _tensor_text(value: Value) -> str:
    tensor = value.tensor
    return "unknown" if tensor is None else str(TensorType(tensor.dtype, tensor.shape))


def _users(graph: Graph, value: Value) -> list[str]:
    return list(dict.fromkeys(op.op_type for op in graph.users(value)))
