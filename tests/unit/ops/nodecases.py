"""ONNX's own node test cases: models with inputs and outputs, to run our kernels on and hold our types against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from gopt import ops
from gopt.frontends.onnx import load
from gopt.ir import Array, Model, Op, SequenceType, Symbol, TensorType, Type, Value, dtype_of

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
Bindings = dict[Symbol, int]


@cache
def cases() -> list[Path]:
    """Folders of all node cases."""
    return sorted(p.parent for p in (DATA / "node").glob("*/model.onnx"))


def model_of(case: Path) -> Model:
    """The model of a case."""
    return load(case / "model.onnx")


def arrays_of(case: Path, kind: str) -> list[Any] | None:
    """The first data set's inputs or outputs; None if one of them is not a dense tensor."""
    found: list[Any] = []
    files = sorted((case / "test_data_set_0").glob(f"{kind}_*.pb"), key=lambda p: int(p.stem.split("_")[1]))
    for file in files:
        proto = onnx.TensorProto()
        try:
            proto.ParseFromString(file.read_bytes())
            array = numpy_helper.to_array(proto)
        except Exception:
            return None
        if proto.data_type == 0:
            return None
        if array.dtype.kind in "OUS":
            texts = [s if isinstance(s, bytes) else str(s).encode() for s in array.ravel().tolist()]
            array = np.array(texts, object).reshape(array.shape)
        found.append(array)
    return found


def run(model: Model, inputs: Sequence[Array]) -> dict[Value, Array]:
    """All values that ops with kernels compute.

    Raises:
        ops.NoKernel: an op has none.
    """
    known: dict[Value, Array] = dict(zip(model.graph.inputs, inputs))
    for op in model.graph.ops:
        given = [None if v is None else known[v] if v in known else v.const.numpy() for v in op.inputs]
        known.update(zip_results(op, ops.evaluate(op, given)))
    return known


def zip_results(op: Op, results: Sequence[Array]) -> Iterator[tuple[Value, Array]]:
    """Results of an op that are wanted."""
    for value, array in zip(op.outputs, results):
        if value is not None:
            yield value, array


def contradiction(type_: Type | None, array: Any, bound: Bindings) -> str:
    """What of a type does not hold for an array; symbols are bound on the way. Empty if all does."""
    if type_ is None:
        return ""
    if isinstance(array, list):
        if not isinstance(type_, SequenceType):
            return f"{type_} for a list"
        return next((c for a in array if (c := contradiction(type_.elem, a, dict(bound)))), "")
    if not isinstance(type_, TensorType):
        return f"{type_} for an array"
    if type_.dtype is not dtype_of(array):
        return f"{type_} for {array.dtype}"
    if type_.shape is None:
        return ""
    if len(type_.shape) != array.ndim:
        return f"{type_} for shape {array.shape}"
    for dim, size in zip(type_.shape, array.shape):
        if isinstance(dim, int) and dim != size:
            return f"{type_} for shape {array.shape}"
        if isinstance(dim, Symbol) and bound.setdefault(dim, size) != size:
            return f"{type_} for shape {array.shape}: symbol {dim!r} is {bound[dim]} elsewhere"
    return ""
