"""What both ways of the bridge need: the package, and how it sees tensors, types and attributes."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from ...errors import MissingComponentError
from ...ir import (
    Array,
    Attr,
    AttrKind,
    DType,
    MapType,
    OpaqueType,
    OptionalType,
    SequenceType,
    Shape,
    SparseTensorType,
    Symbol,
    Tensor,
    TensorType,
    Type,
)
from ..onnx.tensorwriter import encode_tensor

# Element types that gs knows by their ONNX numbers only.
_NUMBERED = frozenset(
    (DType.BFLOAT16, DType.FLOAT8E4M3FN, DType.FLOAT8E4M3FNUZ, DType.FLOAT8E5M2, DType.FLOAT8E5M2FNUZ)
)
_PLAIN = frozenset((AttrKind.FLOAT, AttrKind.INT, AttrKind.STRING, AttrKind.FLOATS, AttrKind.INTS, AttrKind.STRINGS))
KNOWN = _PLAIN | {AttrKind.TENSOR, AttrKind.GRAPH, AttrKind.TENSORS, AttrKind.GRAPHS}
"""Kinds of attributes that a node of gs can hold; its own importer drops lists of tensors and graphs too."""

Signature = tuple[Any, tuple[Any, ...] | None, str | None]
"""Element type, shape and kind of type of a variable, in the terms of gs."""


def surgeon() -> ModuleType:
    """The package.

    Raises:
        MissingComponentError: it is not installed.
    """
    try:
        import onnx_graphsurgeon
    except ImportError:
        raise MissingComponentError(
            "onnx-graphsurgeon is not installed: pip install 'gopt-onnx[graphsurgeon]'"
        ) from None
    module: ModuleType = onnx_graphsurgeon
    return module


@cache
def lazy_values() -> type[Any]:
    """The class of values of a constant that are ours and not loaded yet."""
    surgeon()
    from onnx_graphsurgeon.ir.tensor import LazyValues

    class TensorValues(LazyValues):  # type: ignore[misc]
        """Values of an IR tensor.

        Attributes:
            source: the tensor.
        """

        def __init__(self, source: Tensor, name: str) -> None:
            self.source = source
            self.name = name
            self.shape = list(source.shape)
            self.dtype = gs_dtype(source.dtype)
            self.nbytes = source.nbytes

        @property
        def tensor(self) -> Any:
            """The values as a TensorProto, for the exporter of gs."""
            import onnx

            return onnx.TensorProto.FromString(encode_tensor(self.source, self.name).join())

        def load(self) -> Array:
            """The values as an array that may be written to."""
            array = self.source.numpy().copy()
            if self.source.dtype is DType.STRING:  # gs has strings as they are decoded
                texts = [s.decode("utf-8", "surrogateescape") for s in array.ravel()]
                array = np.array(texts, object).reshape(array.shape)
            return array

    return TensorValues


def gs_dtype(dtype: DType) -> Any:
    """How gs names an element type."""
    return int(dtype) if dtype in _NUMBERED else dtype.numpy


def signature(type_: Type | None) -> Signature:
    """What gs keeps of a type."""
    match type_:
        case TensorType():
            return gs_dtype(type_.dtype), gs_shape(type_.shape), "tensor_type"
        case SparseTensorType():
            return gs_dtype(type_.dtype), None, "sparse_tensor_type"
        case SequenceType(elem=TensorType() as elem):
            return gs_dtype(elem.dtype), None, "sequence_type"
        case SequenceType():
            return None, None, "sequence_type"
        case OptionalType():
            return None, None, "optional_type"
        case MapType():
            return None, None, "map_type"
        case OpaqueType():
            return None, None, "opaque_type"
        case None:
            return None, None, "tensor_type"


def gs_shape(shape: Shape | None) -> tuple[Any, ...] | None:
    """A shape: numbers, names, and None for what is not known."""
    if shape is None:
        return None
    return tuple((d.name or None) if isinstance(d, Symbol) else d for d in shape)


def plain_value(attr: Attr) -> Any:
    """The value of an attribute that is neither a tensor nor a graph, as gs has it."""
    return list(attr.value) if isinstance(attr.value, tuple) else attr.value


def is_plain(attr: Attr) -> bool:
    """True for numbers, strings and lists of them."""
    return attr.kind in _PLAIN and not attr.ref


Attributes = OrderedDict[str, Any]
