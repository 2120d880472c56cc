"""Single things of gs, converted: tensors, types, attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ModelError
from ...ir import (
    ArrayTensor,
    Attr,
    AttrKind,
    Dim,
    DType,
    SequenceType,
    SparseTensorType,
    Symbol,
    Tensor,
    TensorType,
    Type,
    dtype_of,
)
from ..onnx.attributes import AttributeReader
from ..onnx.external import Folder
from ..onnx.tensorreader import read_tensor
from ..wire import Source
from .common import Signature, lazy_values, surgeon

SymbolOf = Callable[[str], Symbol]


def signature_of(variable: Any) -> Signature:
    """Element type, shape and kind of type of a variable."""
    shape = None if variable.shape is None else tuple(variable.shape)
    kind = getattr(variable, "type", "tensor_type")  # a constant that became a variable has none
    return variable.dtype, shape, kind


def type_of(variable: Any, symbol: SymbolOf) -> Type | None:
    """The type of a variable; None if it says nothing that can be written."""
    dtype, shape, kind = signature_of(variable)
    if dtype is None:
        return None
    element = _dtype(dtype)
    dims = None if shape is None else tuple(_dim(d, symbol) for d in shape)
    if kind == "sequence_type":
        return SequenceType(TensorType(element, dims))
    if kind == "sparse_tensor_type":
        return SparseTensorType(element, dims)
    return TensorType(element, dims)


def _dtype(dtype: Any) -> DType:
    return DType(dtype) if isinstance(dtype, int) else dtype_of(np.empty(0, dtype))


def _dim(dim: Any, symbol: SymbolOf) -> Dim:
    if isinstance(dim, str) and dim:
        return symbol(dim)
    return int(dim) if isinstance(dim, (int, np.integer)) and dim >= 0 else Symbol()


def tensor_of(constant: Any, before: Tensor | None) -> Tensor:
    """The values of a constant; `before` if they are still the same.

    Raises:
        ModelError: they are external data of which only gs knows.
    """
    values = constant._values
    if isinstance(values, lazy_values()):
        found: Tensor = values.source
        return found
    gs = surgeon()
    if isinstance(values, gs.ir.tensor.SparseValues):
        values = values.load()
    elif not isinstance(values, np.ndarray):
        return _read(values.tensor.SerializeToString())
    elif constant._export_dtype is not None:
        return _read(gs.exporters.onnx_exporter.OnnxExporter.export_tensor_proto(constant).SerializeToString())
    made = ArrayTensor(_plain(values))
    return before if before is not None and _same(made, before) else made


def _plain(array: Any) -> Any:
    """Strings as bytes."""
    if array.dtype.kind != "O":
        return array
    texts = [t if isinstance(t, bytes) else str(t).encode("utf-8", "surrogateescape") for t in array.ravel()]
    plain = np.empty(len(texts), object)
    plain[:] = texts
    return plain.reshape(array.shape)


def _same(made: Tensor, before: Tensor) -> bool:
    if made.dtype is not before.dtype or made.shape != before.shape:
        return False
    if made.dtype is DType.STRING:
        return bool((made.numpy() == before.numpy()).all())
    return made.raw() == before.raw()


def _read(data: bytes) -> Tensor:
    return read_tensor(Source(data), 0, len(data), Folder(None))


def attribute_of(node: str, name: str, value: Any) -> Attr:
    """The attribute for a value that is neither a constant nor a graph.

    Raises:
        ModelError: no attribute holds such a value.
    """
    import onnx

    gs = surgeon()
    if isinstance(value, gs.Node.AttributeRef):
        kind = gs.util.misc.convert_to_onnx_attr_type(value.type)
        return Attr(AttrKind(kind), None, value.name)
    if isinstance(value, type):
        value = int(dtype_of(np.empty(0, value)))
    try:
        return Attr.of(value)
    except TypeError:
        pass
    try:
        data = onnx.helper.make_attribute(name, value).SerializeToString()
    except (TypeError, ValueError) as error:
        raise ModelError(f"node {node!r}: attribute {name!r}: {error}") from None
    return AttributeReader(Source(data), Folder(None)).read(0, len(data))[1]
