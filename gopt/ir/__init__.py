"""The graph that gopt rewrites. It knows nothing of what an operator means, nor of rewriting."""

from __future__ import annotations

from .adjacency import dead_ops
from .dtype import DType, dtype_of
from .graph import Graph, Listener
from .model import Function, FunctionKey, Model
from .names import Names
from .node import Attr, AttrKind, Capture, Declared, Op, Role, Slot, Use, Value
from .tensor import Array, ArrayTensor, BufferTensor, FileTensor, Tensor
from .types import (
    Dim,
    Entries,
    MapType,
    OpaqueType,
    OptionalType,
    SequenceType,
    Shape,
    SparseTensorType,
    Symbol,
    TensorType,
    Type,
    static_shape,
)

__all__ = [
    "Array",
    "ArrayTensor",
    "Attr",
    "AttrKind",
    "BufferTensor",
    "Capture",
    "DType",
    "Declared",
    "Dim",
    "Entries",
    "FileTensor",
    "Function",
    "FunctionKey",
    "Graph",
    "Listener",
    "MapType",
    "Model",
    "Names",
    "Op",
    "OpaqueType",
    "OptionalType",
    "Role",
    "SequenceType",
    "Shape",
    "Slot",
    "SparseTensorType",
    "Symbol",
    "Tensor",
    "TensorType",
    "Type",
    "Use",
    "Value",
    "dead_ops",
    "dtype_of",
    "static_shape",
]
