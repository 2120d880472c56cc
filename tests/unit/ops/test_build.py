"""`make` writes the form that an opset has; what it writes is valid ONNX and is viewed as what was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from gopt import ops
from gopt.analysis import infer
from gopt.ir import Attr, AttrKind, DType, Op, TensorType, Value
from gopt.ops.reference import attribute_proto

from .nodecases import arrays_of, cases, model_of


def value(*shape: Any, dtype: DType = DType.FLOAT) -> Value:
    return Value("x", type_=TensorType(dtype, shape))


def make(op_type: str, *operands: Any, version: int, outputs: int = 1, **attrs: Any) -> Op:
    return ops.make(op_type, operands, attrs, opsets={"": version}, outputs=outputs)


def attrs(op: Op) -> dict[str, Any]:
    return {name: attr.value for name, attr in op.attrs.items()}


def constants(op: Op) -> list[Any]:
    return [v.const.numpy().tolist() for v in op.inputs if v is not None and v.const is not None]


X = value(3, 4, 6)


@pytest.mark.parametrize(
    ("op", "written_as", "operands"),
    [
        (make("Squeeze", X, [0], version=11), {"axes": (0,)}, []),
        (make("Squeeze", X, 0, version=13), {}, [[0]]),
        (make("Squeeze", X, [-1], version=9), {"axes": (2,)}, []),
        (make("Unsqueeze", X, [-1], version=9), {"axes": (3,)}, []),
        (make("ReduceSum", X, [1], version=12), {"axes": (1,)}, []),
        (make("ReduceSum", X, [1], version=13), {}, [[1]]),
        (make("ReduceMean", X, [1], version=17, keepdims=0), {"axes": (1,), "keepdims": 0}, []),
        (make("ReduceMean", X, [1], version=18, keepdims=0), {"keepdims": 0}, [[1]]),
        (make("ReduceMean", X, [1], version=17, noop_with_empty_axes=1), {"axes": (1,)}, []),
        (make("Clip", X, 0.0, 6.0, version=6), {"min": 0.0, "max": 6.0}, []),
        (make("Clip", X, 0.0, 6.0, version=11), {}, [0.0, 6.0]),
        (make("Slice", X, [0], [2], [1], version=9), {"starts": (0,), "ends": (2,), "axes": (1,)}, []),
        (make("Slice", X, [0], [2], [1], [1], version=9), {"starts": (0,), "ends": (2,), "axes": (1,)}, []),
        (make("Slice", X, [0], [2], [1], version=10), {}, [[0], [2], [1]]),
        (make("Pad", X, [1, 2], None, [1], version=13), {}, [[0, 1, 0, 0, 2, 0]]),
        (make("Pad", X, [1, 2], 1.0, [1], version=10), {"pads": (0, 1, 0, 0, 2, 0), "value": 1.0}, []),
        (make("Pad", X, [1, 2], 1.0, [1], version=18), {}, [[1, 2], 1.0, [1]]),
        (make("Split", X, version=18, outputs=2), {"num_outputs": 2}, []),
        (make("Split", X, version=13, outputs=2), {}, [[2, 1]]),
        (make("Split", X, version=11, outputs=2, axis=1), {"axis": 1}, []),
        (make("Split", X, [1, 2], version=11, outputs=2), {"split": (1, 2)}, []),
        (make("Dropout", X, 0.5, False, version=10), {"ratio": 0.5}, []),
        (make("Dropout", X, 0.5, version=6), {"ratio": 0.5, "is_test": 1}, []),
        (make("TopK", X, 3, version=9, outputs=2), {"k": 3}, []),
        (make("TopK", X, 3, version=11, outputs=2), {}, [[3]]),
        (make("Softmax", X, version=11), {"axis": -1}, []),
        (make("Softmax", X, version=9), {"axis": 2}, []),
        (make("Softmax", X, version=13), {}, []),
        (make("Add", X, 1.0, version=6), {"broadcast": 1}, [1.0]),
        (make("Add", X, X, version=6), {}, []),
        (make("Reshape", X, [3, -1], version=13, allowzero=1), {}, [[3, -1]]),
        (make("Resize", X, None, [1.0, 2.0, 2.0], version=11), {}, [[], [1.0, 2.0, 2.0]]),
        (make("Resize", X, None, [1.0, 2.0, 2.0], version=13), {}, [[1.0, 2.0, 2.0]]),
        (make("Cast", X, version=13, to=DType.INT64), {"to": 7}, []),
        (make("GridSample", X, X, version=16, mode="cubic"), {"mode": "bicubic"}, []),
        (make("LeakyRelu", X, version=16, alpha=1), {"alpha": 1.0}, []),
        (make("AveragePool", value(1, 1, 4), version=11, kernel_shape=[2], dilations=[1]), {"kernel_shape": (2,)}, []),
    ],
    ids=lambda p: f"{p.op_type}-{p.opset}" if isinstance(p, Op) else "",
)
def test_the_form_that_an_opset_has(op: Op, written_as: dict[str, Any], operands: list[Any]) -> None:
    assert attrs(op) == written_as
    assert constants(op) == operands


@pytest.mark.parametrize(
    ("op_type", "operands", "version", "given"),
    [
        ("Gelu", [X], 19, {}),
        ("Upsample", [X, [1.0, 1.0, 2.0]], 10, {}),
        ("GroupNormalization", [X, X, X], 18, {"num_groups": 2}),
        ("Softmax", [X], 12, {"axis": 1}),
        ("Resize", [X, None, [1.0, 2.0, 2.0]], 10, {}),
        ("Slice", [X, [0], [6], [2], [2]], 9, {}),
        ("Split", [X], 13, {"num_outputs": 2**31}),
        ("Squeeze", [X, value(1, dtype=DType.INT64)], 12, {}),
        ("Relu", [value(3, dtype=DType.INT32)], 13, {}),
        ("Add", [value(3, dtype=DType.BFLOAT16), value(3, dtype=DType.BFLOAT16)], 12, {}),
        ("Clip", [value(3, dtype=DType.INT32), 0], 11, {}),
        ("ScatterND", [X, X, X], 13, {"reduction": "add"}),
        ("Max", [X, 0.0], 7, {}),
        ("Add", [value(4), X], 6, {}),
        ("Gemm", [value(2, 2), value(2, 2)], 10, {}),
        ("Reshape", [X, [0, -1]], 13, {"allowzero": 1}),
        ("DequantizeLinear", [value(3, dtype=DType.INT8), value(3)], 10, {"axis": 0}),
        ("Dropout", [X, 0.5, True], 11, {}),
        ("Softmax", [Value("untyped")], 9, {}),
        ("RoiAlign", [value(1, 1, 4, 4), value(1, 4), value(1, dtype=DType.INT64)], 10, {}),
    ],
)
def test_what_an_opset_does_not_have(op_type: str, operands: list[Any], version: int, given: dict[str, Any]) -> None:
    with pytest.raises(ops.NotAvailable):
        ops.make(op_type, operands, given, opsets={"": version})


def test_domains() -> None:
    assert ops.available("Relu", {"": 13})
    assert not ops.available("Relu", {"acme": 1})
    assert not ops.available("Gelu", {"": 13})
    assert not ops.available("Upsample", {"": 13})
    assert not ops.available("Gadget", {"": 13})
    assert ops.available("Gadget", {"acme": 1}, "acme")
    with pytest.raises(ops.NotAvailable):
        ops.make("Gadget", [X], opsets={"": 13}, domain="acme")
    made = ops.make("Gadget", [X, None], {"size": 3, "left_out": None}, opsets={"acme": 1}, domain="acme")
    assert made.inputs == (X,)
    assert attrs(made) == {"size": 3}


@pytest.mark.parametrize(
    ("op_type", "operands", "dtype", "shape"),
    [
        ("Add", [value(2, dtype=DType.DOUBLE), 1], DType.DOUBLE, ()),
        ("Add", [value(2, dtype=DType.INT32), 1], DType.INT32, ()),
        ("Mul", [value(2, dtype=DType.BFLOAT16), 0.5], DType.BFLOAT16, ()),
        ("Reshape", [value(2, dtype=DType.INT32), [1, 2]], DType.INT64, (2,)),
        ("Gather", [value(2), 0], DType.INT64, ()),
        ("Unsqueeze", [value(2), 0], DType.INT64, (1,)),
        ("Where", [value(2, dtype=DType.BOOL), value(2, dtype=DType.FLOAT16), 0.0], DType.FLOAT16, ()),
        ("Slice", [value(2, dtype=DType.INT32), [0], [1]], DType.INT64, (1,)),
        ("Mul", [Value("untyped"), 0.5], DType.FLOAT, ()),
        ("Add", [value(2), np.ones((2, 2), np.float32)], DType.FLOAT, (2, 2)),
    ],
)
def test_numbers_become_constants_of_the_right_type(
    op_type: str, operands: list[Any], dtype: DType, shape: tuple[int, ...]
) -> None:
    made = ops.make(op_type, operands, opsets={"": 18})
    last = made.inputs[-1]
    assert last is not None
    assert last.type == TensorType(dtype, shape)
    assert last.graph is None


def test_an_operand_may_be_what_was_an_attribute() -> None:
    assert constants(make("ReduceSum", X, Attr.of([1]), version=13)) == [[1]]
    assert attrs(make("ReduceSum", X, Attr.of([1]), version=11)) == {"axes": (1,)}
    with pytest.raises(ops.NotAvailable):
        make("ReduceSum", X, Attr(AttrKind.INTS, None, ref="axes"), version=13)


def test_attributes_may_be_given_as_attrs() -> None:
    made = make("Conv", X, X, version=11, strides=Attr.of([2, 2]), group=None)
    assert attrs(made) == {"strides": (2, 2)}


def _as_onnx(op: Op) -> onnx.NodeProto:
    inputs = ["" if v is None else f"i{k}" for k, v in enumerate(op.inputs)]
    node = onnx.NodeProto(op_type=op.op_type, domain=op.domain, input=inputs)
    node.output.extend(f"o{k}" for k in range(len(op.outputs)))
    node.attribute.extend(attribute_proto(n, a) for n, a in op.attrs.items())
    return node


def _rebuilt(op: Op, version: int, arrays: list[Any]) -> Op | None:
    """The op with all but its first operand constant, written for another opset; None if it cannot be."""
    operands: list[Any] = []
    for k, (operand, array) in enumerate(zip(op.inputs, arrays)):
        first = None if array is None or operand is None else Value("x", type_=operand.type)
        operands.append(first if k == 0 else array)
    try:
        return ops.make(op.op_type, operands, op.attrs, opsets={"": version}, outputs=len(op.outputs), domain=op.domain)
    except ops.NotAvailable:
        return None


def test_ops_of_the_cases_are_valid_and_compute_the_same_at_older_opsets() -> None:
    """Each single-op case of the newest form, rewritten for older opsets and computed through the view."""
    rebuilt = 0
    for case in cases():
        model = model_of(case)
        infer(model)
        inputs = arrays_of(case, "input")
        if len(model.graph) != 1 or inputs is None or len(inputs) != len(model.graph.inputs):
            continue
        (op,) = model.graph.ops
        if op.domain or op.bodies or ops.is_random(op) or op.op_type == "Upsample" or not ops.is_current(op):
            continue
        fed = dict(zip(model.graph.inputs, inputs))
        arrays = [None if v is None else fed[v] if v in fed else v.const.numpy() for v in op.inputs]
        known = ops.opdef(op)
        try:
            # onnx.reference is slow, and not what is tested here.
            expected = ops.evaluate(op, arrays) if known is not None and known.kernel is not None else None
        except ops.NoKernel:
            expected = None
        for version in (6, 7, 9, 10, 11, 12, 13, 17, 18):
            made = _rebuilt(op, version, arrays) if version < op.opset else None
            if made is None:
                continue
            checker = onnx.checker.DEFAULT_CONTEXT
            checker.opset_imports = {"": version}
            onnx.checker.check_node(_as_onnx(made), checker)
            if expected is None:
                continue
            given = [arrays[0], *(None if v is None else v.const.numpy() for v in made.inputs[1:])]
            try:
                found = ops.evaluate(made, given[: len(made.inputs)])
            except ops.NoKernel:
                continue
            rebuilt += 1
            for have, wanted in zip(found, expected):
                same = np.array_equal(have, wanted, equal_nan=have.dtype.kind == "f")
                assert same or np.allclose(have, wanted, equal_nan=True), f"{case.name} at {version}"
    assert rebuilt > 500
