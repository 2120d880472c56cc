"""Random models of nested Ifs and Loops: captures, branches that begin alike, values that are handed on, 0 to 3 turns.

Drawn from a seed. All tensors are float[2,3]; what a Loop stacks is summed up again.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

SHAPE = [2, 3]
UNARY = ("Neg", "Abs", "Relu", "Sigmoid", "Tanh", "Identity", "Floor")
BINARY = ("Add", "Mul", "Sub", "Max")
Nodes = list[NodeProto]


def model(seed: int) -> ModelProto:
    """A model with the inputs x and w (float[2,3]), p and q (bool), m (int64, a number of turns)."""
    return _Draw(seed).model()


class _Draw:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0

    def model(self) -> ModelProto:
        nodes, values, _ = self.block(["x", "w"], ["p", "q"], 0, self.random.choice([3, 5, 8]))
        outputs = [self.copy(nodes, v) for v in self.random.sample(values, min(3, len(values)))]
        inputs = [_info(v) for v in ("x", "w")]
        inputs += [helper.make_tensor_value_info(v, TensorProto.BOOL, []) for v in ("p", "q")]
        inputs.append(helper.make_tensor_value_info("m", TensorProto.INT64, []))
        graph = helper.make_graph(nodes, "g", inputs, [_info(v) for v in outputs])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def name(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def node(self, nodes: Nodes, op_type: str, *inputs: str, **attrs: Any) -> str:
        result = self.name()
        nodes.append(helper.make_node(op_type, list(inputs), [result], **attrs))
        return result

    def constant(self, nodes: Nodes, array: Any) -> str:
        return self.node(nodes, "Constant", value=numpy_helper.from_array(np.asarray(array)))

    def copy(self, nodes: Nodes, value: str) -> str:
        return self.node(nodes, "Identity", value)

    def op(self, nodes: Nodes, values: list[str]) -> None:
        kind, choice = self.random.random(), self.random.choice
        if kind < 0.45:
            values.append(self.node(nodes, choice(UNARY), choice(values)))
        elif kind < 0.75:
            values.append(self.node(nodes, choice(BINARY), choice(values), choice(values)))
        else:
            number = np.full(choice([(), (3,), (2, 3)]), choice([0, 1, 2, 0.5]), np.float32)
            operands = [choice(values), self.constant(nodes, number)]
            self.random.shuffle(operands)
            values.append(self.node(nodes, choice(BINARY[:3]), *operands))

    def block(self, values: list[str], flags: list[str], depth: int, size: int) -> tuple[Nodes, list[str], list[str]]:
        nodes: Nodes = []
        values, flags = list(values), list(flags)
        for _ in range(size):
            kind = self.random.random()
            if depth < 2 and kind < 0.18:
                self.branches(nodes, values, flags, depth)
            elif depth < 2 and kind < 0.36:
                self.loop(nodes, values, flags, depth)
            elif kind < 0.42:
                flags.append(self.node(nodes, "Not", self.random.choice(flags)))
            else:
                self.op(nodes, values)
        return nodes, values, flags

    def export(self, nodes: Nodes, values: list[str], outer: list[str], taken: list[str]) -> str:
        """A value that a body makes; a copy of one from outside, or of one that is exported already."""
        own = [v for v in values if v not in outer]
        value = self.random.choice(own) if own and self.random.random() < 0.8 else self.random.choice(values)
        return self.copy(nodes, value) if value in outer or value in taken else value

    def branches(self, nodes: Nodes, values: list[str], flags: list[str], depth: int) -> None:
        results = [self.name() for _ in range(self.random.choice([1, 1, 2, 3]))]
        alike = self.random.getstate() if self.random.random() < 0.5 else None
        bodies = []
        for place in range(2):
            after = self.random.getstate()
            if place and alike is not None:
                self.random.setstate(alike)
            inner, made, _ = self.block(values, flags, depth + 1, self.random.choice([0, 1, 2, 4]))
            if place and alike is not None:
                self.random.setstate(after)
            outputs: list[str] = []
            for _ in results:
                outputs.append(self.export(inner, made, values, outputs))
            infos = [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs]
            bodies.append(helper.make_graph(inner, self.name(), [], infos))
        condition = self.random.choice(flags)
        nodes.append(helper.make_node("If", [condition], results, then_branch=bodies[0], else_branch=bodies[1]))
        values += results

    def loop(self, nodes: Nodes, values: list[str], flags: list[str], depth: int) -> None:
        choice = self.random.choice
        turns = self.constant(nodes, np.int64(choice([0, 1, 1, 2, 3]))) if self.random.random() < 0.7 else "m"
        kind = self.random.random()
        start = "" if kind < 0.3 else self.constant(nodes, np.bool_(kind < 0.8)) if kind < 0.9 else choice(flags)
        number, flag = self.name(), self.name()
        carried = [self.name() for _ in range(choice([1, 2, 3]))]
        inner, made, inner_flags = self.block([*values, *carried], [*flags, flag], depth + 1, choice([1, 2, 4, 5]))
        if self.random.random() < 0.5:
            cast = self.node(inner, "Cast", number, to=TensorProto.FLOAT)
            made.append(self.node(inner, "Add", cast, choice(made)))
        kind = self.random.random()
        if kind < 0.5:
            outputs = [self.copy(inner, flag)]
        elif kind < 0.8:
            outputs = [self.constant(inner, np.bool_(kind < 0.7))]
        else:
            outputs = [self.copy(inner, choice(inner_flags))]
        for value in carried:
            same = self.random.random() < 0.2
            outputs.append(value if same else self.export(inner, made, [*values, *carried], outputs))
        for _ in range(choice([0, 0, 1, 2])):
            outputs.append(self.export(inner, made, [*values, *carried], outputs))
        inputs = [helper.make_tensor_value_info(number, TensorProto.INT64, [])]
        inputs += [helper.make_tensor_value_info(flag, TensorProto.BOOL, []), *map(_info, carried)]
        infos = [helper.make_tensor_value_info(outputs[0], TensorProto.BOOL, []), *map(_info, outputs[1:])]
        body = helper.make_graph(inner, self.name(), inputs, infos)
        results = [self.name() for _ in outputs[1:]]
        initial = [choice(values) for _ in carried]
        nodes.append(helper.make_node("Loop", [turns, start, *initial], results, body=body))
        values += results[: len(carried)]
        for stacked in results[len(carried) :]:
            axes = self.constant(nodes, np.array([0]))
            values.append(self.node(nodes, "ReduceSum", stacked, axes, keepdims=0))


def _info(name: str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, SHAPE)
