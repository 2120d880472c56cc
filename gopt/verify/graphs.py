"""A flat view of a protobuf model for the walk of `flow`: who uses which name, across bodies and local functions."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from ..ir import Array

Scope = tuple[Any, ...]
Key = tuple[Scope, str]
"""A value: the scope that defines it, and its name there."""

_LARGEST_ARRAY = 4096  # elements of a constant that is worth reading
# fmt: off
_SAME_SHAPE = frozenset((
    "Identity", "Cast", "DequantizeLinear", "QuantizeLinear", "Neg", "Abs", "Sqrt", "Exp", "Dropout", "Clip", "Relu",
))
# fmt: on


class Scopes:
    """Nodes, uses and constants of a model, by scope.

    A body is a scope inside that of its node; a local function is one scope however often it is called.

    Attributes:
        nodes: every node with its scope.
        uses: value -> (node, slot, scope of the node).
        leaves: result of a body or function -> the values that it becomes outside.
    """

    def __init__(self, model: Any) -> None:
        self.nodes: list[tuple[Any, Scope]] = []
        self.uses: dict[Key, list[tuple[Any, int, Scope]]] = {}
        self.leaves: dict[Key, list[Key]] = {}
        self._defined: dict[Scope, set[str]] = {}
        self._constants: dict[Key, Any] = {}
        self._producers: dict[Key, tuple[Any, Scope]] = {}
        self._bodies: dict[int, list[tuple[Scope, Any]]] = {}  # by identity of the node: protobuf nodes do not hash
        self._functions = {(f.domain, f.name): f for f in model.functions}
        self._model: Any = model
        self._inferred: dict[str, tuple[int, ...]] | None = None
        graphs: list[tuple[Any, Scope]] = [(model.graph, ())]
        graphs += [(f, ("function", *key)) for key, f in self._functions.items()]
        while graphs:
            graphs.extend(self._define(*graphs.pop()))
        for node, scope in self.nodes:
            for slot, name in enumerate(node.input):
                if name:
                    self.uses.setdefault(self.key(name, scope), []).append((node, slot, scope))
        self._connect()

    def _define(self, graph: Any, scope: Scope) -> Iterator[tuple[Any, Scope]]:
        """Note what a graph (or function) defines; yields its bodies."""
        is_function = not hasattr(graph, "initializer")
        names = set(graph.input) if is_function else {v.name for v in graph.input}
        if not is_function:
            fed = names if not scope else set()  # an initializer that is also an input of the model can be overridden
            for tensor in graph.initializer:
                if tensor.name not in fed:
                    self._constants[scope, tensor.name] = tensor
            names |= {t.name for t in graph.initializer}
        for number, node in enumerate(graph.node):
            self.nodes.append((node, scope))
            names.update(node.output)
            for name in node.output:
                self._producers[scope, name] = (node, scope)
            if node.op_type == "Constant" and node.output:
                self._constants[scope, node.output[0]] = node
            for attr in node.attribute:
                for k, body in enumerate([*([attr.g] if attr.HasField("g") else []), *attr.graphs]):
                    inner = (*scope, number, attr.name, k)
                    self._bodies.setdefault(id(node), []).append((inner, body))
                    yield body, inner
        self._defined[scope] = names

    def _connect(self) -> None:
        for node, scope in self.nodes:
            for inner, body in self._bodies.get(id(node), ()):
                skip = 1 if node.op_type == "Loop" else 0  # the condition
                for result, name in zip([v.name for v in body.output][skip:], node.output):
                    self._leave(inner, result, name, scope)
            function = self._functions.get((node.domain, node.op_type))
            if function is not None:
                for result, name in zip(function.output, node.output):
                    self._leave(("function", function.domain, function.name), result, name, scope)

    def _leave(self, inner: Scope, result: str, name: str, scope: Scope) -> None:
        if name:
            self.leaves.setdefault(self.key(result, inner), []).append(self.key(name, scope))

    # -- reading -------------------------------------------------------------------------------------------------------

    def key(self, name: str, scope: Scope) -> Key:
        """The value that a name means in a scope: its own, or that of the nearest scope around it."""
        while scope and scope[0] != "function" and name not in self._defined[scope]:
            scope = scope[:-3]
        if scope and scope[0] == "function":
            while len(scope) > 3 and name not in self._defined[scope]:
                scope = scope[:-3]
        return scope, name

    def enters(self, node: Any, slot: int, scope: Scope) -> Iterator[Key]:
        """Formal inputs of bodies or of the function that operand `slot` becomes."""
        if node.op_type in {"Loop", "Scan"}:
            for inner, body in self._bodies.get(id(node), ()):
                if slot < len(body.input) and (node.op_type == "Scan" or slot >= 2):
                    yield inner, body.input[slot].name
        function = self._functions.get((node.domain, node.op_type))
        if function is not None and slot < len(function.input):
            yield ("function", function.domain, function.name), function.input[slot]

    def attribute(self, node: Any, name: str) -> Any:
        """Value of an attribute (a tuple for a list, str for bytes), None if absent."""
        for attr in node.attribute:
            if attr.name == name and not attr.ref_attr_name:
                return _plain(attr)
        return None

    def array(self, name: str, scope: Scope) -> Array | None:
        """A small constant, looked up through Identity and Cast."""
        from onnx import numpy_helper

        for _ in range(8):
            key = self.key(name, scope)
            found = self._constants.get(key)
            if found is not None:
                return _constant(found, numpy_helper)
            node, scope = self._producers.get(key, (None, scope))
            if node is None or node.op_type not in {"Identity", "Cast", "Unsqueeze", "Squeeze"} or not node.input:
                return None
            name = node.input[0]
        return None

    def shape(self, name: str, scope: Scope) -> tuple[int, ...] | None:
        """Shape of a value that is (nearly) constant; -1 for an unknown dim. Asks shape inference last."""
        first = self.key(name, scope)
        permutations: list[tuple[int, ...] | None] = []
        for _ in range(8):
            key = self.key(name, scope)
            found = self._constants.get(key)
            if found is not None:
                shape = _constant_shape(found)
                return _permuted(shape, permutations) if shape is not None else None
            node, scope = self._producers.get(key, (None, scope))
            if node is None or not node.input or node.op_type not in _SAME_SHAPE | {"Transpose"}:
                break
            if node.op_type == "Transpose":
                permutations.append(self.attribute(node, "perm"))
            name = node.input[0]
        return self._infer().get(first[1]) if not first[0] else None

    def _infer(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the main graph by onnx's own inference, made when first needed; {} if that fails."""
        if self._inferred is None:
            self._inferred = {}
            try:
                from onnx import shape_inference

                graph = shape_inference.infer_shapes(self._model, data_prop=True).graph
            except Exception:  # a model that inference rejects may still run
                return self._inferred
            for info in [*graph.value_info, *graph.input, *graph.output]:
                if info.type.tensor_type.HasField("shape"):
                    dims = info.type.tensor_type.shape.dim
                    self._inferred[info.name] = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims)
        return self._inferred

    def wanted_dims(self, node: Any, slot: int, scope: Scope, rank: int) -> Iterator[tuple[int, int]]:
        """(axis, size) that a node's constant operands ask of its operand `slot`, which has `rank` axes."""
        op = node.op_type

        def shape_of(index: int) -> tuple[int, ...]:
            name = node.input[index] if index < len(node.input) else ""
            key = self.key(name, scope)
            known = name and (key in self._constants or key in self._producers)
            return (self._constant_shape_through(name, scope) or ()) if known else ()

        if op in {"Conv", "ConvTranspose"} and slot == 0 and len(weight := shape_of(1)) > 2:
            yield 1, weight[0] if op == "ConvTranspose" else weight[1] * int(self.attribute(node, "group") or 1)
        elif op == "MatMul" and len(other := shape_of(1 - slot)) >= 2:
            yield (rank - 1, other[-2]) if slot == 0 else (rank - 2, other[-1])
        elif op == "Gemm" and slot < 2 and len(other := shape_of(1 - slot)) == 2:
            turned = bool(self.attribute(node, "transA" if slot == 0 else "transB"))
            inner = other[int(bool(self.attribute(node, "transB")))] if slot == 0 else other[1 - int(turned)]
            yield (int(not turned) if slot == 0 else int(turned)), inner
        elif op in {"LSTM", "GRU", "RNN"} and slot in {0, 5, 6} and len(w := shape_of(1 if slot == 0 else 2)) == 3:
            yield 2, w[2]
            if slot:
                yield 0, w[0]
        elif op in {"BatchNormalization", "InstanceNormalization"} and slot == 0 and len(scale := shape_of(1)) == 1:
            yield 1, scale[0]
        elif op in {"Add", "Sub", "Mul", "Div", "PRelu"} and len(node.input) == 2:
            other = shape_of(1 - slot)
            yield from ((rank - len(other) + k, d) for k, d in enumerate(other) if d > 1)

    def _constant_shape_through(self, name: str, scope: Scope) -> tuple[int, ...] | None:
        """`shape`, but never by inference of the whole model: a hint is not worth that."""
        keep, self._inferred = self._inferred, self._inferred or {}
        try:
            return self.shape(name, scope)
        finally:
            self._inferred = keep


def _plain(attr: Any) -> Any:
    kind = attr.type
    if kind == 1:
        return attr.f
    if kind == 2:
        return attr.i
    if kind == 3:
        return attr.s.decode("utf-8", "replace")
    if kind == 4:
        return attr.t
    if kind == 8:
        return tuple(s.decode("utf-8", "replace") for s in attr.strings)
    return tuple(attr.ints) if kind == 7 else tuple(attr.floats) if kind == 6 else None


def _constant(found: Any, numpy_helper: Any) -> Array | None:
    """The elements of an initializer or Constant node, unless they are many."""
    import numpy as np

    if hasattr(found, "op_type"):
        for attr in found.attribute:
            if attr.name == "value":
                return _constant(attr.t, numpy_helper)
            if attr.name.startswith("value_"):
                value = _plain(attr)
                return np.asarray(value, dtype=object if "string" in attr.name else None)
        return None
    if prod(found.dims) > _LARGEST_ARRAY or found.data_location == 1:
        return None
    try:
        array: Array = numpy_helper.to_array(found)
    except Exception:  # a malformed constant: ONNX Runtime will say so
        return None
    return array


def _constant_shape(found: Any) -> tuple[int, ...] | None:
    if not hasattr(found, "op_type"):
        return tuple(found.dims)
    for attr in found.attribute:
        if attr.name == "value":
            return tuple(attr.t.dims)
        if attr.name in {"value_ints", "value_floats", "value_strings"}:
            return (len(_plain(attr) or ()),)
        if attr.name.startswith("value_"):
            return ()
    return None


def _permuted(shape: tuple[int, ...], permutations: list[tuple[int, ...] | None]) -> tuple[int, ...] | None:
    """A constant's shape after the Transposes that lie between it and its use, nearest use first."""
    for perm in reversed(permutations):
        if perm is None:
            shape = shape[::-1]
        elif sorted(perm) == list(range(len(shape))):
            shape = tuple(shape[k] for k in perm)
        else:
            return None
    return shape
