"""What the installed onnx says of standard operators at a version: types that they take, function bodies, releases."""

from __future__ import annotations

from functools import cache
from typing import Any

from ...errors import GoptError
from ...ir import (
    DType,
    Function,
    MapType,
    Model,
    Op,
    OptionalType,
    SequenceType,
    SparseTensorType,
    TensorType,
    Type,
    Value,
)
from ...ops.reference import attribute_proto
from . import load
from .models import TRAINING
from .notes import ModelNote


def newest_opset() -> int:
    """The newest version of the standard domain that the installed onnx knows."""
    from onnx import defs

    return int(defs.onnx_opset_version())


def released_ir_version(opset: int) -> int:
    """The version of the ONNX IR in the newest release whose standard domain ended with `opset`.

    Source: `onnx.helper.VERSION_TABLE`, which is that of the ONNX repository's "Versioning.md".
    """
    from onnx import helper

    rows = [row for row in helper.VERSION_TABLE if row[2] <= opset]
    return max((int(row[1]) for row in rows), default=3)


def has_training(model: Model) -> bool:
    """True if the file held `training_info`: graphs that are passed on unread."""
    return isinstance(model.extras, ModelNote) and any(number == TRAINING for number, _, _ in model.extras.rest)


def type_complaint(op: Op, version: int) -> str:
    """What about operands, results and their types the operator does not permit at a version; "" if nothing.

    Types that are not known are permitted. Operators of other domains, and versions that onnx does not know, too.

    Source: ONNX operator schemas, type constraints.
    """
    schema = _schema(op.op_type, version, op.domain)
    if schema is None:
        return ""
    bound: dict[str, str] = {}
    for what, values, formals in (("operand", op.inputs, schema.inputs), ("result", op.outputs, schema.outputs)):
        present = len(values)
        while present and values[present - 1] is None:
            present -= 1
        for place in range(present):
            formal, variadic = _formal(formals, place)
            if formal is None:
                return f"it has no {what} {place}"
            why = _unfit(values[place], formal, {} if variadic and not formal.is_homogeneous else bound)
            if why:
                return f"{what} {place} {formal.name!r} {why}"
    return ""


def _formal(formals: Any, place: int) -> tuple[Any, bool]:
    if not formals:
        return None, False
    last = formals[len(formals) - 1]
    variadic = last.option == type(last.option).Variadic
    if place < len(formals) - 1 or (place == len(formals) - 1 and not variadic):
        return formals[place], False
    return (last, True) if variadic else (None, False)


def _unfit(value: Value | None, formal: Any, bound: dict[str, str]) -> str:
    text = "" if value is None else _text(_type(value))
    if not text:
        return ""
    if text not in formal.types:
        return f"cannot be {text}"
    other = bound.setdefault(formal.type_str, text)
    return "" if other == text else f"is {text} where {formal.type_str} is {other}"


def _type(value: Value) -> Type | None:
    if value.type is None and value.const is not None:
        return TensorType(value.const.dtype)
    return value.type


def _text(type_: Type | None) -> str:
    """A type as schemas write it; "" if it is not known in all parts."""
    if isinstance(type_, (TensorType, SparseTensorType)):
        name = _NAMES.get(type_.dtype, type_.dtype.name.lower())
        kind = "tensor" if isinstance(type_, TensorType) else "sparse_tensor"
        return f"{kind}({name})" if type_.dtype is not DType.UNDEFINED else ""
    if isinstance(type_, (SequenceType, OptionalType)):
        inner = _text(type_.elem)
        return inner and f"{'seq' if isinstance(type_, SequenceType) else 'optional'}({inner})"
    if isinstance(type_, MapType):
        inner = _text(type_.value)
        return inner and f"map({type_.key.name.lower()}, {inner})"
    return ""


_NAMES: dict[DType, str] = {}


@cache
def _schema(op_type: str, version: int, domain: str) -> Any:
    """An `onnx.defs.OpSchema` (whose stubs lack the half of it), or None."""
    from onnx import defs

    if domain or not 0 < version <= newest_opset():
        return None
    try:
        return defs.get_schema(op_type, version, domain)
    except defs.SchemaError:
        return None


def standard_body(op: Op, version: int) -> Function | None:
    """The function that the schema gives for an op as its meaning; None if it gives none for this op.

    Args:
        op: of the standard domain, with the types of its operands.
        version: the body is that for the newest opset up to this one, or for the oldest if there is none.

    Source: ONNX operator schemas, "Function" sections of Operators.md.
    """
    schema = _schema(op.op_type, op.opset, op.domain)
    if schema is None or not (schema.has_function or schema.has_context_dependent_function):
        return None
    try:
        if schema.has_function:
            data = schema.get_function_with_opset_version(_best(schema.function_opset_versions, version))
        else:
            data = _made_for(schema, op, _best(schema.context_dependent_function_opset_versions, version))
        return _function(data) if data else None
    except (GoptError, RuntimeError, ValueError):  # it cannot be made for these types, or it is no valid function
        return None


def _best(versions: list[int], version: int) -> int:
    fitting = [v for v in versions if v <= version]
    return max(fitting) if fitting else min(versions)


def _made_for(schema: Any, op: Op, version: int) -> bytes:
    """The body that depends on the types and attributes of an op."""
    import onnx

    inputs = ["" if v is None else f"i{k}" for k, v in enumerate(op.inputs)]
    outputs = ["" if v is None else f"o{k}" for k, v in enumerate(op.outputs)]
    node = onnx.NodeProto(op_type=op.op_type, domain=op.domain, input=inputs, output=outputs)
    node.attribute.extend(attribute_proto(name, attr) for name, attr in op.attrs.items())
    types = [_proto(v).SerializeToString() for v in op.inputs]
    found: bytes = schema.get_context_dependent_function_with_opset_version(version, node.SerializeToString(), types)
    return found


def _proto(value: Value | None) -> Any:
    import onnx
    from onnx import helper

    type_ = None if value is None else _type(value)
    if not isinstance(type_, TensorType):
        return onnx.TypeProto()
    shape = None if type_.shape is None else [d if isinstance(d, int) else None for d in type_.shape]
    return helper.make_tensor_type_proto(int(type_.dtype), shape)


def _function(data: bytes) -> Function | None:
    import onnx

    function = onnx.FunctionProto.FromString(data)
    model = onnx.ModelProto(ir_version=8)
    model.opset_import.extend(function.opset_import)
    model.graph.name = function.name
    function.domain = function.domain or "ai.onnx"
    made = {name for node in function.node for name in node.output} | set(function.input)
    while function.output and function.output[-1] not in made:
        del function.output[-1]  # an optional result that was not asked for
    model.functions.append(function)
    return next(iter(load(model).functions.values()), None)
