"""Models as text for people, dumps and golden tests, in the syntax that `onnx.parser` reads.

Printed are the graphs: inputs, outputs, constants, ops, functions, opsets. What the IR does not interpret (doc strings,
metadata, declarations of interior values) is not. Text without elision is read again by `gopt.frontends.text.parse`,
and printing that gives the same text. Beyond the syntax, and readable by people alone, are elided tensors (`{...}`),
lists of tensors, graphs or types, sparse attributes, and operators whose type or domain is no identifier.

Source: ONNX documentation, "ONNX Textual Syntax".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .dtype import DType
from .graph import Graph
from .model import Function, Model
from .node import Attr, Op, Role, Value
from .tensor import Tensor, pack
from .types import Dim, MapType, OpaqueType, OptionalType, SequenceType, SparseTensorType, Symbol, TensorType, Type

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WIDTH = 120


def to_text(source: Model | Graph, elide: int | None = 16, types: bool = False) -> str:
    """The text of a model or graph.

    Args:
        source: what to print.
        elide: tensors of more elements are shown as `{...}`; None: none are.
        types: append the inferred types of each op's results, as comments.
    """
    printer = _Printer(elide, types)
    return (printer.graph(source) if isinstance(source, Graph) else printer.model(source)) + "\n"


def type_text(type_: Type | None) -> str:
    """A type in the syntax of `onnx.parser`; "" if nothing is known."""
    match type_:
        case TensorType():
            return _tensor_type(type_.dtype, type_.shape)
        case SparseTensorType():
            return f"sparse_tensor({_tensor_type(type_.dtype, type_.shape)})"
        case SequenceType():
            return f"seq({type_text(type_.elem)})"
        case OptionalType():
            return f"optional({type_text(type_.elem)})"
        case MapType():
            return f"map({type_.key.name.lower()}, {type_text(type_.value)})"
        case OpaqueType() | None:
            return ""


def _tensor_type(dtype: DType, shape: Sequence[Dim] | None) -> str:
    name = dtype.name.lower()
    if shape is None:
        return f"{name}[]"
    return f"{name}[{','.join(_dim(d) for d in shape)}]" if shape else name


def _dim(dim: Dim) -> str:
    if isinstance(dim, Symbol):
        return identifier(dim.name) if dim.name else "?"
    return str(dim)


def identifier(name: str) -> str:
    """A name as the parser reads it: in quotes unless it is an identifier that nothing else is meant by."""
    return name if _IDENTIFIER.fullmatch(name) and name not in _KEYWORDS else quoted(name)


_TYPES = frozenset(d.name.lower() for d in DType) | {"seq", "map", "optional", "sparse_tensor"}
_FLOATS = {"nan", "inf", "infinity"}
_KEYWORDS = _TYPES | _FLOATS
_LETTERS = re.compile(r"[A-Za-z]+")


def quoted(text: str) -> str:
    """A string literal."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Printer:
    def __init__(self, elide: int | None, types: bool) -> None:
        self._elide = elide
        self._types = types

    # -- models and functions -------------------------------------------------------------------------------------

    def model(self, model: Model) -> str:
        parts = [f"<ir_version: {model.ir_version}, opset_import: {_opsets(model.opsets)}>", self.graph(model.graph)]
        parts += map(self.function, model.functions.values())
        return "\n".join(parts)

    def function(self, function: Function) -> str:
        graph = function.graph
        keys = [f"domain: {quoted(function.domain)}"]
        if function.overload:
            keys.append(f"overload: {quoted(function.overload)}")
        keys.append(f"opset_import: {_opsets(graph.opsets)}")
        attributes = [identifier(name) for name in function.attributes]
        attributes += [self._attribute(name, attr, "") for name, attr in function.defaults.items()]
        listed = f" <{', '.join(attributes)}>" if attributes else ""
        head = f"{identifier(function.name)}{listed} ({_names(graph.inputs)}) => ({_names(graph.outputs)}) {{"
        # A function has no list of constants.
        constants = [
            f"  {identifier(v.name)} = Constant <value = {self._tensor(v.tensor)}> ()"
            for v in graph.constants
            if v.tensor is not None
        ]
        return "\n".join([f"<{', '.join(keys)}>", head, *constants, *self._ops(graph, "  "), "}"])

    # -- graphs ---------------------------------------------------------------------------------------------------

    def graph(self, graph: Graph, indent: str = "") -> str:
        """A graph; all lines but the first are indented."""
        name = identifier(graph.name) if graph.owner is None else _body_name(graph.name)
        inputs = ", ".join(_declaration(v) if v.tensor is None else self._constant(v, v.tensor) for v in graph.inputs)
        lines = [f"{name} ({inputs}) => ({', '.join(map(_declaration, graph.outputs))})"]
        constants = [self._constant(v, v.tensor) for v in graph.constants if v.tensor is not None]
        if constants:
            in_one = f" <{', '.join(constants)}>"
            if len(indent) + len(lines[0]) + len(in_one) < _WIDTH:
                lines[0] += in_one
            else:
                lines[0] += " <"
                lines += [f"{indent}  {c}," for c in constants[:-1]]
                lines += [f"{indent}  {constants[-1]}", f"{indent}>"]
        lines[-1] += " {"
        return "\n".join([*lines, *self._ops(graph, indent + "  "), indent + "}"])

    def _constant(self, value: Value, tensor: Tensor) -> str:
        return f"{_tensor_type(tensor.dtype, tensor.shape)} {identifier(value.name)} = {self._elements(tensor)}"

    def _ops(self, graph: Graph, indent: str) -> list[str]:
        return [indent + self._op(op, indent) for op in graph.ops]

    def _op(self, op: Op, indent: str) -> str:
        label = f"[{identifier(op.name)}] " if op.name else ""
        kind = f"{op.domain}.{op.op_type}" if op.domain else op.op_type
        kind += f":{op.overload}" if op.overload else ""
        attrs = ", ".join(self._attribute(name, attr, indent) for name, attr in op.attrs.items())
        attrs = f" <{attrs}>" if attrs else ""
        operands = f" ({_names(op.inputs)})"
        text = f"{label}{_names(op.outputs)} = {kind}{operands + attrs if op.bodies else attrs + operands}"
        if self._types:
            text += "  # " + ", ".join(type_text(v.type) or "?" for v in op.outputs if v is not None)
        return text

    # -- attributes and tensors -----------------------------------------------------------------------------------

    def _attribute(self, name: str, attr: Attr, indent: str) -> str:
        if attr.ref:
            return f"{name}: {attr.kind.name.lower()} = @{identifier(attr.ref)}"
        if isinstance(attr.value, tuple):
            kind = "" if attr.value else f": {attr.kind.name.lower()}"  # of an empty list it would not be known
            return f"{name}{kind} = [{', '.join(self._value(v, indent) for v in attr.value)}]"
        return f"{name} = {self._value(attr.value, indent)}"

    def _value(self, value: Any, indent: str) -> str:
        match value:
            case Graph():
                return self.graph(value, indent + "  ")
            case Tensor():
                return self._tensor(value)
            case str():
                return quoted(value)
            case int():
                return str(value)
            case float():
                text = _float(value, DType.FLOAT)
                return text if text.strip("-0123456789") else f"{text}.0"  # a number without point is an integer
            case _:  # sparse tensors and types belong to the frontend, which may give them a text
                return "..." if value is None or type(value) is bytes else str(value)

    def _tensor(self, tensor: Tensor) -> str:
        return f"{_tensor_type(tensor.dtype, tensor.shape)} {self._elements(tensor)}"

    def _elements(self, tensor: Tensor) -> str:
        if self._elide is not None and tensor.size > self._elide:
            return "{...}"
        return f"{{{', '.join(_elements(tensor))}}}"


def _elements(tensor: Tensor) -> Iterable[str]:
    """The literals of a tensor's elements; bit patterns for types that the syntax has no numbers of."""
    dtype = tensor.dtype
    flat = tensor.numpy().ravel()
    if dtype is DType.STRING:
        return [quoted(s.decode("utf-8", "surrogateescape")) for s in flat]
    if dtype in (DType.COMPLEX64, DType.COMPLEX128):
        dtype = DType.FLOAT if dtype is DType.COMPLEX64 else DType.DOUBLE
        flat = flat.view(dtype.numpy)
    if dtype in (DType.FLOAT, DType.DOUBLE):
        return [_float(v, dtype) for v in flat]
    if dtype.is_integer and dtype.bits >= 8:
        return map(str, flat.tolist())
    return map(str, np.frombuffer(pack(flat, dtype), f"<u{max(dtype.bits // 8, 1)}").tolist())


def _float(value: Any, dtype: DType) -> str:
    """The shortest decimal number that is read as the same value."""
    text = str(dtype.numpy.type(value))
    return text.removesuffix(".0")


def _declaration(value: Value) -> str:
    declared = value.declared.type if value.declared is not None else None
    type_ = type_text(value.type if declared is None else declared)
    return f"{type_} {identifier(value.name)}" if type_ else identifier(value.name)


def _names(values: Iterable[Value | None]) -> str:
    return ", ".join('""' if v is None else identifier(_outermost(v).name) for v in values)


def _outermost(value: Value) -> Value:
    """What a captured value stands for: text knows it by that name."""
    while value.role is Role.CAPTURE and value.outer is not value:
        value = value.outer
    return value


def _body_name(name: str) -> str:
    """A name for a body, which the parser takes only as a plain identifier."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII) or "body"
    word = _LETTERS.match(plain)  # where a number may stand, `inf_1` is read as one
    taken = plain in _TYPES or (word is not None and word[0].lower() in _FLOATS)
    return f"_{plain}" if taken or plain[0].isdigit() else plain


def _opsets(opsets: dict[str, int]) -> str:
    return "[" + ", ".join(f"{quoted(domain)} : {version}" for domain, version in opsets.items()) + "]"
