"""One view of an operator whatever the opset."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gopt import ops
from gopt.errors import UsageError
from gopt.ir import Attr, AttrKind, DType, Op, Role, Symbol, TensorType, Value


def value(*shape: Any, dtype: DType = DType.FLOAT, name: str = "x") -> Value:
    return Value(name, type_=TensorType(dtype, shape))


def op_at(version: int, op_type: str, *inputs: Value | None, outputs: int = 1, **attrs: Any) -> Op:
    op = Op(op_type, inputs, outputs, {n: Attr.of(a) for n, a in attrs.items()})
    op.imports = {"": version}
    return op


def numbers(operand: Value | None) -> Any:
    assert operand is not None
    assert operand.const is not None
    return operand.const.numpy().tolist()


def test_operands_are_the_ops_own_where_nothing_moved() -> None:
    x = value(2, 3)
    for op in (op_at(13, "Squeeze", x, ops.constant(np.array([0]))), op_at(6, "Conv", x, x)):
        assert ops.operands(op) is op.inputs


@pytest.mark.parametrize(
    ("op", "slot", "expected"),
    [
        (op_at(11, "Squeeze", value(1, 3), axes=[0]), 1, [0]),
        (op_at(1, "Unsqueeze", value(3), axes=[0, 2]), 1, [0, 2]),
        (op_at(11, "ReduceSum", value(3), axes=[-1]), 1, [-1]),
        (op_at(17, "ReduceMean", value(3), axes=[-1]), 1, [-1]),
        (op_at(17, "ReduceMax", value(3), axes=[0]), 1, [0]),
        (op_at(6, "Clip", value(3), min=0.0, max=6.0), 1, 0.0),
        (op_at(6, "Clip", value(3), min=0.0, max=6.0), 2, 6.0),
        (op_at(9, "Slice", value(3), starts=[0], ends=[2], axes=[0]), 1, [0]),
        (op_at(9, "Slice", value(3), starts=[0], ends=[2], axes=[0]), 2, [2]),
        (op_at(9, "Slice", value(3), starts=[0], ends=[2], axes=[0]), 3, [0]),
        (op_at(2, "Pad", value(3), pads=[0, 1], value=2.0), 1, [0, 1]),
        (op_at(1, "Pad", value(3), paddings=[0, 1], value=2.0), 1, [0, 1]),
        (op_at(2, "Pad", value(3), pads=[0, 1], value=2.0), 2, 2.0),
        (op_at(12, "Split", value(3), split=[1, 2]), 1, [1, 2]),
        (op_at(10, "Dropout", value(3), ratio=0.25), 1, 0.25),
        (op_at(9, "TopK", value(3), k=2), 1, [2]),
        (op_at(7, "Upsample", value(1, 3), scales=[1.0, 2.0]), 1, [1.0, 2.0]),
        (op_at(4, "Reshape", value(3), shape=[3, 1]), 1, [3, 1]),
        (op_at(17, "DFT", value(1, 3, 1)), 2, 1),
    ],
    ids=lambda p: p.op_type if isinstance(p, Op) else None,
)
def test_an_attribute_that_became_an_operand(op: Op, slot: int, expected: Any) -> None:
    assert numbers(ops.operands(op)[slot]) == expected


def test_what_is_absent_stays_absent() -> None:
    assert ops.operands(op_at(6, "Clip", value(3), max=6.0))[1] is None
    assert len(ops.operands(op_at(6, "Clip", value(3)))) == 1
    assert ops.ints(op_at(11, "Squeeze", value(3)), "axes") is None
    assert ops.ints(op_at(13, "Squeeze", value(3)), "axes") is None


def test_a_bound_has_the_element_type_of_its_operand() -> None:
    op = op_at(6, "Clip", value(3, dtype=DType.FLOAT16), min=0.0)
    low = ops.operands(op)[1]
    assert low is not None
    assert low.type == TensorType(DType.FLOAT16, ())
    assert low.role is Role.CONST


def test_attributes_have_the_default_of_their_version() -> None:
    assert ops.attribute(op_at(11, "Softmax", value(2, 3)), "axis") == 1
    assert ops.attribute(op_at(13, "Softmax", value(2, 3)), "axis") == -1
    assert ops.attribute(op_at(1, "Conv", value(2, 3)), "group") == 1
    assert ops.attribute(op_at(11, "Conv", value(2, 3)), "strides") is None
    assert ops.attribute(op_at(11, "Conv", value(2, 3)), "no_such_thing") is None


def test_attributes_that_came_later_have_the_meaning_of_their_absence() -> None:
    assert ops.attribute(op_at(5, "Reshape", value(2)), "allowzero") == 0
    assert ops.attribute(op_at(10, "RoiAlign", value(2)), "coordinate_transformation_mode") == "output_half_pixel"
    assert ops.attribute(op_at(16, "RoiAlign", value(2)), "coordinate_transformation_mode") == "half_pixel"


def test_renamed_attribute_values() -> None:
    assert ops.attribute(op_at(16, "GridSample", value(2), mode="bicubic"), "mode") == "cubic"
    assert ops.attribute(op_at(16, "GridSample", value(2)), "mode") == "linear"
    assert ops.attribute(op_at(20, "GridSample", value(2), mode="cubic"), "mode") == "cubic"
    assert ops.attribute(op_at(1, "Cast", value(2), to="INT64"), "to") == DType.INT64


def test_attributes_of_unknown_operators_are_read_as_they_are() -> None:
    op = Op("Gadget", attrs={"size": Attr.of(3)}, domain="acme")
    assert ops.attribute(op, "size") == 3
    assert ops.attribute(op, "other") is None
    assert ops.operands(op) == ()
    assert ops.is_current(op)


def test_ints_of_attribute_and_of_constant_operand() -> None:
    axes = ops.constant(np.array([0, -1]))
    assert ops.ints(op_at(13, "Squeeze", value(1, 3), axes), "axes") == (0, -1)
    assert ops.ints(op_at(11, "Squeeze", value(1, 3), axes=[0, -1]), "axes") == (0, -1)
    assert ops.ints(op_at(13, "Squeeze", value(1, 3), value(2, dtype=DType.INT64)), "axes") is None
    assert ops.ints(op_at(11, "Conv", value(1), value(1), pads=[1, 1]), "pads") == (1, 1)
    assert ops.ints(op_at(11, "Concat", value(1), axis=1), "axis") == (1,)
    assert ops.ints(op_at(9, "TopK", value(3), k=2), "K") == (2,)


def test_an_unbound_attribute_has_no_value() -> None:
    op = Op("Softmax", [value(2, 3)], attrs={"axis": Attr(AttrKind.INT, None, ref="axis")})
    op.imports = {"": 13}
    assert not ops.is_current(op)
    assert not ops.is_bound(op)
    with pytest.raises(ops.UnboundAttribute):
        ops.attribute(op, "axis")


def test_slots_by_name() -> None:
    assert ops.slot("Conv", "B") == ops.slot("Conv", "b") == 2
    assert ops.slot("Clip", "max") == 2
    with pytest.raises(UsageError, match="no operand"):
        ops.slot("Conv", "bias")
    with pytest.raises(UsageError, match="not known"):
        ops.slot("Gadget", "x", "acme")
    assert ops.has_operand(op_at(6, "Clip", value(3), max=6.0), "max")
    assert not ops.has_operand(op_at(6, "Clip", value(3), max=6.0), "min")


N = Symbol("n")


@pytest.mark.parametrize(
    ("op", "current"),
    [
        (op_at(13, "Softmax", value(2, 3, 4), axis=1), True),
        (op_at(11, "Softmax", value(2, 3, 4), axis=1), False),
        (op_at(11, "Softmax", value(2, 3, 4), axis=2), True),
        (op_at(11, "Softmax", value(2, N)), True),
        (op_at(11, "Softmax", value(2, N, 1)), True),
        (op_at(11, "Softmax", value(2, 3, N)), False),
        (op_at(11, "LogSoftmax", Value("untyped"), axis=-1), True),
        (op_at(11, "Hardmax", Value("untyped"), axis=3), False),
        (op_at(6, "Dropout", value(2)), False),
        (op_at(6, "Dropout", value(2), is_test=1), True),
        (op_at(10, "Dropout", value(2)), True),
        (op_at(13, "Dropout", value(2)), True),
        (op_at(13, "Dropout", value(2), None, ops.constant(np.array(True))), False),
        (op_at(13, "Dropout", value(2), None, ops.constant(np.array(False))), True),
        (op_at(13, "Dropout", value(2), None, value(dtype=DType.BOOL)), False),
        (op_at(15, "BatchNormalization", value(2, 3)), True),
        (op_at(15, "BatchNormalization", value(2, 3), training_mode=1), False),
        (op_at(9, "BatchNormalization", value(2, 3)), True),
        (op_at(9, "BatchNormalization", value(2, 3), outputs=3), False),
        (op_at(7, "BatchNormalization", value(2, 3), spatial=0), False),
        (op_at(6, "BatchNormalization", value(2, 3)), False),
        (op_at(6, "BatchNormalization", value(2, 3), is_test=1), True),
        (op_at(6, "Add", value(2, 3, 4), value(3), broadcast=1, axis=1), False),
        (op_at(6, "Add", value(2, 3, 4), value(3, 4), broadcast=1, axis=1), True),
        (op_at(6, "Add", value(2, 3, 4), value(4), broadcast=1), True),
        (op_at(7, "Add", value(2, 3, 4), value(4)), True),
        (op_at(6, "PRelu", value(2, 3, 4), value(3)), False),
        (op_at(6, "PRelu", value(2, 3, 4), value(1)), True),
        (op_at(9, "Upsample", value(2)), False),
        (op_at(10, "Resize", value(2)), False),
        (op_at(11, "Resize", value(2)), True),
        (op_at(18, "GroupNormalization", value(2, 4, 3), num_groups=2), False),
        (op_at(18, "GroupNormalization", value(2, 4, 3), num_groups=4), True),
        (op_at(21, "GroupNormalization", value(2, 4, 3), num_groups=2), True),
    ],
    ids=lambda p: f"{p.op_type}-{p.opset}" if isinstance(p, Op) else None,
)
def test_versions_with_another_meaning_are_told_apart(op: Op, current: bool) -> None:
    assert ops.is_current(op) is current
