"""Hypothesis strategy for models that compute with the sizes of their inputs, and use them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

INPUTS = {"x": ("N", "M", 4), "y": ("N", 3, "K")}
ARITHMETIC = ("Add", "Sub", "Mul", "Max", "Min", "Div", "Mod")
COMPARISONS = ("Equal", "Greater", "Less", "LessOrEqual", "GreaterOrEqual")


class Sizes:
    """Collects nodes: scalars and lists of 64-bit integers, and tensors."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.opset = draw(st.sampled_from([14, 18]))  # a part of a shape is an attribute from 15 on
        self.nodes: list[Any] = []
        self.weights: list[TensorProto] = []
        self.scalars: list[str] = []
        self.lists: list[tuple[str, int]] = []
        self.tensors: dict[str, int] = {name: len(shape) for name, shape in INPUTS.items()}

    def ints(self, *numbers: int, scalar: bool = False) -> str:
        name = f"c{len(self.weights)}"
        array = np.array(numbers[0] if scalar else numbers, np.int64)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op_type: str, *inputs: str, **attrs: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op_type, list(inputs), [name], **attrs))
        return name

    def pick(self, options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    # -- one step ---------------------------------------------------------------------------------------------------

    def step(self) -> None:
        steps = [self.shape, self.shape]
        if self.lists:
            steps += [self.gather, self.gather, self.slice, self.reduce, self.concat, self.arithmetic_of_lists]
        if self.scalars:
            steps += [self.arithmetic, self.arithmetic, self.unsqueeze, self.unsqueeze, self.compare, self.cast]
            steps += [self.range, self.slice_tensor, self.reshape]
        if self.lists:
            steps += [self.fill, self.expand]
        self.pick(steps)()

    def shape(self) -> None:
        name, rank = self.pick(sorted(self.tensors.items()))
        start = self.number(0, rank - 1) if rank and self.opset > 14 and self.number(0, 2) == 0 else 0
        self.lists.append((self.node("Shape", name, **({"start": start} if start else {})), rank - start))

    def gather(self) -> None:
        name, length = self.pick(self.lists)
        if not length:
            return
        if self.number(0, 2):
            self.scalars.append(self.node("Gather", name, self.ints(self.number(-length, length - 1), scalar=True)))
        else:
            picks = [self.number(0, length - 1) for _ in range(self.number(1, 3))]
            self.lists.append((self.node("Gather", name, self.ints(*picks)), len(picks)))

    def slice(self) -> None:
        name, length = self.pick(self.lists)
        start, end = self.number(0, length), self.number(0, length + 2)
        self.lists.append(
            (self.node("Slice", name, self.ints(start), self.ints(end)), max(min(end, length) - start, 0))
        )

    def reduce(self) -> None:
        name, _ = self.pick(self.lists)
        self.scalars.append(self.node(self.pick(["ReduceProd", "ReduceSum"]), name, keepdims=0))

    def concat(self) -> None:
        parts = [self.pick(self.lists) for _ in range(self.number(1, 2))]
        if sum(n for _, n in parts) <= 5:
            extra = [self.ints(self.number(-1, 5))] if self.number(0, 1) else []
            name = self.node("Concat", *(name for name, _ in parts), *extra, axis=0)
            self.lists.append((name, sum(n for _, n in parts) + len(extra)))

    def arithmetic_of_lists(self) -> None:
        name, length = self.pick(self.lists)
        self.lists.append((self.node(self.pick(ARITHMETIC[:5]), name, self.ints(self.number(-3, 4))), length))

    def arithmetic(self) -> None:
        op_type = self.pick(ARITHMETIC)
        divides = op_type in ("Div", "Mod")
        other = (
            self.ints(self.number(1, 8) if divides else self.number(-4, 8), scalar=True)
            if divides or self.number(0, 1)
            else self.pick(self.scalars)
        )
        self.scalars.append(self.node(op_type, self.pick(self.scalars), other))

    def unsqueeze(self) -> None:
        self.lists.append((self.node("Unsqueeze", self.pick(self.scalars), self.ints(0)), 1))

    def compare(self) -> None:
        a, b = self.pick(self.scalars), self.pick(self.scalars)
        other = b if self.number(0, 1) else self.ints(self.number(-2, 6), scalar=True)
        condition = self.node(self.pick(COMPARISONS), a, other)
        if self.number(0, 2) == 0:
            condition = self.node("Not", condition)
        self.scalars.append(self.node("Where", condition, a, b))

    def cast(self) -> None:
        narrow = self.node("Cast", self.pick(self.scalars), to=self.pick([TensorProto.INT32, TensorProto.INT64]))
        self.scalars.append(self.node("Cast", narrow, to=TensorProto.INT64))

    # -- what sizes are for -----------------------------------------------------------------------------------------

    def _small(self, name: str) -> str:
        """Between 0 and 4, or as it is where that is known to be small."""
        return self.node("Mod", name, self.ints(5, scalar=True))

    def range(self) -> None:
        limit = self.node("Mod", self.pick(self.scalars), self.ints(9, scalar=True))
        self.tensors[self._floats(self.node("Range", self.ints(0, scalar=True), limit, self.ints(1, scalar=True)))] = 1

    def _floats(self, name: str) -> str:
        return self.node("Cast", name, to=TensorProto.FLOAT)

    def fill(self) -> None:
        name, length = self.pick(self.lists)
        if length <= 3:
            self.tensors[self.node("ConstantOfShape", self._small(name))] = length

    def expand(self) -> None:
        name, length = self.pick(self.lists)
        if 1 <= length <= 3:
            one = self.ints(*[1] * length)
            filled = self.node("ConstantOfShape", one)
            self.tensors[self.node("Expand", filled, self._small(name))] = length

    def slice_tensor(self) -> None:
        tensor, rank = self.pick(sorted(self.tensors.items()))
        if not rank:
            return
        bounds = [self.node("Unsqueeze", self.pick(self.scalars), self.ints(0)) for _ in range(2)]
        start = self.ints(self.number(-2, 2)) if self.number(0, 1) else bounds[0]
        self.tensors[self.node("Slice", tensor, start, bounds[1], self.ints(self.number(0, rank - 1)))] = rank

    def reshape(self) -> None:
        """Dims of the tensor itself, in some order, neighbours multiplied, one of them perhaps written -1."""
        tensor, rank = self.pick(sorted(self.tensors.items()))
        if not rank:
            return
        dims = self.node("Shape", tensor)
        parts = [self.node("Gather", dims, self.ints(k)) for k in self.draw(st.permutations(range(rank)))]
        if len(parts) > 1 and self.number(0, 1):
            parts[:2] = [self.node("Mul", parts[0], parts[1])]
        target = self.node("Concat", *parts, axis=0)
        self.tensors[self.node("Reshape", tensor, target, allowzero=1)] = len(parts)


@st.composite
def size_models(draw: Any) -> ModelProto:
    """A model; all integers that it computes, and some tensors, are its outputs."""
    sizes = Sizes(draw)
    for _ in range(draw(st.integers(4, 14))):
        sizes.step()
    made = {name for node in sizes.nodes for name in node.output}
    taken = {name for node in sizes.nodes for name in node.input}
    ints = [n for n in [*sizes.scalars, *(name for name, _ in sizes.lists)] if n not in taken or draw(st.booleans())]
    results = dict.fromkeys([*ints, *(n for n in sizes.tensors if n in made)])
    if not results:
        results = {sizes.node("Relu", "x"): None}
    outputs = []
    for name in results:
        dtype = TensorProto.INT64 if name in ints else TensorProto.FLOAT
        rank = sizes.tensors.get(name, 3) if name not in ints else int(name not in sizes.scalars)
        outputs.append(helper.make_tensor_value_info(name, dtype, [None] * rank))
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in INPUTS.items()]
    graph = helper.make_graph(sizes.nodes, "sizes", inputs, outputs, sizes.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", sizes.opset)], ir_version=8)
