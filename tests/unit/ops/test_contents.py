"""What is known of the elements of shape-like tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gopt.analysis import infer_op
from gopt.ir import ArrayTensor, Attr, Graph, Op, Role, Symbol, TensorType, Value
from gopt.ops.contents import entries, entry, sizes_in
from gopt.ops.sizes import difference, product, total

from .making import F32, I64, ints

N, C = Symbol("n"), Symbol("c")


class Chain:
    """Builds a chain of ops in a graph."""

    def __init__(self, *dims: Any) -> None:
        self.graph = Graph("g", {"": 21})
        self.x = self.graph.add_input(Value("x", type_=TensorType(F32, dims)))

    def __call__(self, op_type: str, *operands: Any, **attrs: Any) -> Value:
        values = [v if isinstance(v, Value) else Value("", Role.CONST, ArrayTensor(np.asarray(v))) for v in operands]
        op = Op(op_type, values, 1, {name: Attr.of(a) for name, a in attrs.items()})
        self.graph.add(op)
        infer_op(op)
        return op.result


def test_shape_gather_mul_concat() -> None:
    c = Chain(N, 3, C)
    shape = c("Shape", c.x)
    batch = c("Unsqueeze", c("Gather", shape, np.array(0), axis=0), ints(0))
    width = c("Unsqueeze", c("Mul", c("Gather", shape, np.array(-1)), np.array(2)), ints(0))
    target = c("Concat", batch, ints(-1), width, axis=0)
    assert entries(target) == (N, -1, product((C, 2)))


def test_a_part_that_is_not_known_leaves_the_others() -> None:
    c = Chain(N, 3)
    other = c.graph.add_input(Value("y", type_=TensorType(I64, (2,))))
    target = c("Concat", c("Shape", c.x), other, axis=0)
    assert entries(target) == (N, 3, None, None)
    assert entries(other) == (None, None)
    assert entry(other) is None


def test_nothing_is_known_of_a_tensor_of_unknown_length() -> None:
    c = Chain(N)
    other = c.graph.add_input(Value("y", type_=TensorType(I64, (Symbol(),))))
    assert entries(other) is None
    assert entries(c("Concat", c("Shape", c.x), other, axis=0)) is None


def test_slice_split_and_size() -> None:
    c = Chain(N, 3, C, 7)
    shape = c("Shape", c.x)
    assert entries(c("Slice", shape, ints(1), ints(3))) == (3, C)
    assert entries(c("Slice", shape, ints(-1), ints(-(2**63)), ints(0), ints(-1))) == (7, C, 3, N)
    assert entries(c("Shape", c.x, start=1, end=-1)) == (3, C)
    assert entries(c("Size", c.x)) == (product((N, 21, C)),)
    assert entries(c("ReduceProd", shape, keepdims=0)) == (product((N, 21, C)),)
    parts = Op("Split", [shape], 2, {"axis": Attr.of(0), "num_outputs": Attr.of(2)})
    c.graph.add(parts)
    infer_op(parts)
    assert [entries(v) for v in parts.outputs] == [(N, 3), (C, 7)]


def test_the_idiom_of_expand() -> None:
    """Where(Equal(shape, -1), ones, shape), as exporters write it."""
    c = Chain(N, 3)
    wanted = c("Concat", c("Shape", c.x), ints(-1), axis=0)
    ones = c("ConstantOfShape", ints(3), value=ArrayTensor(ints(1)))
    minus = c("Mul", ones, np.array(-1))
    assert entries(c("Where", c("Equal", wanted, minus), ones, wanted)) == (N, 3, 1)


@pytest.mark.parametrize(
    ("op_type", "a", "b", "expected"),
    [("Add", 2, 3, 5), ("Sub", 2, 3, -1), ("Mul", 4, -2, -8), ("Div", 7, 2, 3), ("Div", -7, 2, -3), ("Max", 2, 5, 5)],
)
def test_arithmetic_of_numbers(op_type: str, a: int, b: int, expected: int) -> None:
    c = Chain(*range(1, 9))
    number = c("Gather", c("Shape", c.x), np.array(abs(a) - 1))
    left = number if a >= 0 else c("Neg", number)
    assert entry(c(op_type, left, np.array(b))) == expected


def test_arithmetic_of_symbols() -> None:
    c = Chain(N, C)
    shape = c("Shape", c.x)
    assert entries(c("Add", shape, np.array(2))) == (total((N, 2)), total((C, 2)))
    assert entries(c("Sub", c("Add", shape, np.array(2)), np.array(2))) == (N, C)
    # These might be negative, and a negative number in a shape means something else.
    assert entries(c("Sub", shape, np.array(1))) == (total((N, -1)), total((C, -1)))
    assert sizes_in(c("Sub", shape, np.array(1))) == (None, None)
    assert sizes_in(c("Mul", shape, np.array(-1))) == (None, None)
    assert sizes_in(c("Sub", c("Mul", shape, np.array(2)), shape)) == (N, C)
    assert entries(c("Div", shape, np.array(0))) == (None, None)


def test_elements_of_a_matrix_are_not_mixed_up() -> None:
    """[[a, b]] + [[a], [b]] has four elements, not two."""
    c = Chain(N, C)
    row = c("Reshape", c("Shape", c.x), ints(1, 2))
    column = c("Reshape", c("Shape", c.x), ints(2, 1))
    assert entries(c("Add", row, column)) == (total((N, N)), total((N, C)), total((N, C)), total((C, C)))
    assert entries(c("Transpose", c("Add", row, c("Neg", column)))) == (0, difference(N, C), difference(C, N), 0)


def test_overflow_is_not_followed() -> None:
    c = Chain(2**30)
    assert entries(c("Mul", c("Shape", c.x), np.array(2**40))) == (None,)


@pytest.mark.parametrize("number", [2**62, -(2**62), 2**63 - 1])
def test_sizes_times_what_makes_them_overflow_are_not_followed(number: int) -> None:
    """Integers wrap around in a run; 2**63 times a size was taken for a large number."""
    c = Chain(N)
    size = c("Shape", c.x)
    assert entries(c("Mul", size, np.array(number))) == (None,)
    assert entries(c("Sub", c("Mul", size, np.array(3)), np.array(number))) == (None,)
    assert entries(c("Add", size, size)) == (product((N, 2)),)


def test_deep_and_doubling_chains_end() -> None:
    c = Chain(N)
    value = c("Shape", c.x)
    for _ in range(40):
        value = c("Add", value, value)
    entries(value)
    value = c("Shape", c.x)
    for _ in range(12):
        value = c("Concat", value, value, axis=0)
    assert entries(value) is None


@pytest.mark.parametrize("number", [-3, 0, 5])
def test_what_a_pad_puts_in(number: int) -> None:
    c = Chain(2, N, 4)
    shape = c("Shape", c.x)
    assert entries(c("Pad", shape, ints(1, 0), np.array(number))) == (number, 2, N, 4)
    assert entries(c("Pad", shape, ints(1, 1))) == (0, 2, N, 4, 0)
    assert entries(c("Pad", shape, ints(1, 0), np.array(number), ints(0), mode="edge")) == (2, 2, N, 4)
