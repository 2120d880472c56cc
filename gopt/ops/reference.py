"""The rare rest: operators without a kernel of ours, run by the operator classes of `onnx.reference`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..ir import Array, Attr, AttrKind, Op, Tensor
from .evaluate import NoKernel
from .registry import is_random
from .schemas import schema
from .view import RENAMED

# Operators whose classes gave what ONNX Runtime gives for some hundred random operands and attributes each. Most others
# are wrong somewhere (LRN, LpNormalization, RNN and its like, MaxPool's indices, MaxUnpool to
# another shape, padded Conv and AveragePool, ...).
# fmt: off
_FAITHFUL = frozenset((
    "AffineGrid", "BatchNormalization", "Col2Im", "DFT", "Det", "GlobalAveragePool", "GlobalMaxPool",
    "MeanVarianceNormalization", "MelWeightMatrix", "NegativeLogLikelihoodLoss", "RegexFullMatch", "RoiAlign",
    "RotaryEmbedding", "STFT", "SoftmaxCrossEntropyLoss", "StringConcat", "StringSplit", "TfIdfVectorizer",
))
# fmt: on


def run(op: Op, arrays: Sequence[Array | None]) -> tuple[Array, ...]:
    """Results of the op for arrays given for `op.inputs`.

    Raises:
        NoKernel: onnx has no such class or none to be trusted, it fails, or it gives something else than dense arrays.
    """
    known = schema(op.op_type, op.domain)
    if known is None or op.bodies or is_random(op) or op.opset == 0:
        raise NoKernel(f"nothing is known that computes {op.label}")
    if op.op_type not in _FAITHFUL or op.domain:
        raise NoKernel(f"onnx.reference is not known to compute {op.label} as runtimes do")
    renamed = RENAMED.get(op.op_type)
    if renamed is not None and None in renamed.words and op.opset < renamed.since:
        raise NoKernel(f"{op.label} has a meaning that onnx.reference does not know")
    import onnx
    from onnx.reference import ReferenceEvaluator

    inputs = ["" if array is None else f"i{k}" for k, array in enumerate(arrays)]
    outputs = ["" if value is None else f"o{k}" for k, value in enumerate(op.outputs)]
    node = onnx.NodeProto(op_type=op.op_type, domain=op.domain, input=inputs, output=outputs)
    node.attribute.extend(attribute_proto(name, attr) for name, attr in op.attrs.items())
    feeds = {name: given(array) for name, array in zip(inputs, arrays) if array is not None}
    try:
        session = ReferenceEvaluator(node, opsets={op.domain: op.opset})
        found: Any = session.run(None, feeds)
    except Exception as error:  # the classes fail in ways of their own, and any failure means the same here
        raise NoKernel(f"{op.label}: {type(error).__name__}: {error}") from error
    return tuple(_taken(op, array) for array in found)


def attribute_proto(name: str, attr: Attr) -> Any:
    """An attribute as onnx's protobuf message.

    Raises:
        NoKernel: it is a reference, a graph, or something that only the frontend knows.
    """
    from onnx import helper, numpy_helper

    value = attr.value
    if attr.ref or attr.kind not in _PLAIN:
        raise NoKernel(f"attribute {name!r} has no value of its own")
    if isinstance(value, Tensor):
        value = numpy_helper.from_array(given(value.numpy()))
    elif isinstance(value, tuple):
        value = [numpy_helper.from_array(given(v.numpy())) if isinstance(v, Tensor) else v for v in value]
    return helper.make_attribute(name, value, attr_type=int(attr.kind))


_PLAIN = (
    AttrKind.FLOAT,
    AttrKind.INT,
    AttrKind.STRING,
    AttrKind.TENSOR,
    AttrKind.FLOATS,
    AttrKind.INTS,
    AttrKind.STRINGS,
    AttrKind.TENSORS,
)


def given(array: Array) -> Array:
    """Strings are text there, bytes here."""
    if array.dtype != object:
        return array
    return np.array([s.decode() for s in array.ravel().tolist()], object).reshape(array.shape)


def _taken(op: Op, array: Any) -> Array:
    if isinstance(array, (np.generic, float, int, bool)):
        array = np.asarray(array)
    if not isinstance(array, np.ndarray):
        raise NoKernel(f"{op.label} gives no dense tensor")
    if array.dtype.kind not in "OUS":
        return array
    texts = [s if isinstance(s, bytes) else str(s).encode() for s in array.ravel().tolist()]
    return np.array(texts, object).reshape(array.shape)
