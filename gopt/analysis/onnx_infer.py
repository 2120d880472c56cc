"""Types of the results of one op by onnx's own inference, for standard operators without a shape rule of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ir import Dim, DType, MapType, Op, OptionalType, SequenceType, Symbol, TensorType, Type, Value
from ..ops.reference import attribute_proto, given

_SMALL = 1024


def infer_node(op: Op) -> Sequence[Type | None]:
    """Types of the op's results; () if nothing can be said, also because the op is malformed."""
    import onnx
    from onnx import defs, helper, shape_inference

    version = op.opset
    if not version:
        return ()
    names = _Names()
    inputs = ["" if v is None else f"i{k}" for k, v in enumerate(op.inputs)]
    outputs = ["" if v is None else f"o{k}" for k, v in enumerate(op.outputs)]
    node = onnx.NodeProto(op_type=op.op_type, domain=op.domain, input=inputs, output=outputs)
    try:
        node.attribute.extend(attribute_proto(name, attr) for name, attr in op.attrs.items())
        types = {n: _to_proto(v, names) or onnx.TypeProto() for n, v in zip(inputs, op.inputs) if n}
        data = {n: p for n, v in zip(inputs, op.inputs) if (p := _data(n, v)) is not None}
        found = shape_inference.infer_node_outputs(
            defs.get_schema(op.op_type, version, op.domain),
            node,
            types,
            data,
            opset_imports=[helper.make_opsetid(op.domain, version)],
        )
    except Exception:  # onnx complains of a malformed op in many ways; each means that nothing is known
        return ()
    return [_from_proto(found.get(n), names) for n in outputs]


class _Names:
    """Names for symbols on their way through protobuf."""

    def __init__(self) -> None:
        self.symbols: dict[str, Symbol] = {}
        self._names: dict[Symbol, str] = {}

    def of(self, symbol: Symbol) -> str:
        """The name that stands for a symbol."""
        name = self._names.get(symbol)
        if name is None:
            name = self._names[symbol] = f"s{len(self._names)}"
            self.symbols[name] = symbol
        return name


def _to_proto(value: Value | None, names: _Names) -> Any:
    return None if value is None or value.type is None else _type_proto(value.type, names)


def _type_proto(type_: Type, names: _Names) -> Any:
    from onnx import helper

    if isinstance(type_, TensorType):
        shape = None if type_.shape is None else [d if isinstance(d, int) else names.of(d) for d in type_.shape]
        return helper.make_tensor_type_proto(int(type_.dtype), shape)
    if isinstance(type_, (SequenceType, OptionalType)):
        elem = _type_proto(type_.elem, names)
        if elem is None:
            return None
        make = helper.make_sequence_type_proto if isinstance(type_, SequenceType) else helper.make_optional_type_proto
        return make(elem)
    return None


def _data(name: str, value: Value | None) -> Any:
    """Constants that may tell sizes."""
    constant = None if value is None else value.const
    if constant is None or constant.size > _SMALL or constant.dtype is DType.STRING:
        return None
    from onnx import numpy_helper

    return numpy_helper.from_array(given(constant.numpy()), name)


def _from_proto(proto: Any, names: _Names) -> Type | None:
    kind = None if proto is None else proto.WhichOneof("value")
    if kind == "tensor_type":
        if not proto.tensor_type.elem_type:
            return None
        dtype = DType(proto.tensor_type.elem_type)
        if not proto.tensor_type.HasField("shape"):
            return TensorType(dtype)
        return TensorType(dtype, tuple(_dim(d, names) for d in proto.tensor_type.shape.dim))
    if kind in ("sequence_type", "optional_type"):
        elem = _from_proto(getattr(proto, kind).elem_type, names)
        if elem is None:
            return None
        return SequenceType(elem) if kind == "sequence_type" else OptionalType(elem)
    if kind == "map_type":
        held = _from_proto(proto.map_type.value_type, names)
        return None if held is None else MapType(DType(proto.map_type.key_type), held)
    return None


def _dim(proto: Any, names: _Names) -> Dim:
    """A size that is not positive is as good as unknown: onnx's rules give such for what they do not know."""
    if proto.HasField("dim_value") and proto.dim_value > 0:
        return int(proto.dim_value)
    return names.symbols.get(proto.dim_param) or Symbol()
