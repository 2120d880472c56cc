"""What is there twice becomes one: equal constants, and ops that compute the same from the same operands."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ...ir import ArrayTensor, DType, Graph, Model, Op, Role, Tensor, Value
from ...ops import definitions, is_random, schema
from ...rewrite import Context
from ..base import Pass, register

_Operators = frozenset[tuple[str, str]]


@register(alias="cse")
@dataclass(frozen=True)
class Duplicates(Pass):
    """g(f(x), f(x)) -> g(y, y) with y = f(x)

    Constants of one scope become one if type, shape and every byte are equal. Ops of one graph become one if operator,
    attributes (by value, defaults filled in), operands and number of results are equal, the operands of commutative
    operators in either order. Not random ops, ops with bodies, calls and operators that gopt does not know, for they
    may be random inside; not DequantizeLinear either, which runtimes fuse only where it has a single user. Where both
    results are outputs of the graph both stay. Exact.
    """

    def run(self, model: Model, ctx: Context) -> None:
        """Merge the duplicates of each graph: constants first, then ops in dataflow order, users after operands."""
        operators = mergeable().difference((f.domain, f.name) for f in model.functions.values())
        known = _KNOWN.setdefault(ctx, ({}, {}))
        for graph in tuple(model.graphs()):
            same = equal_constants(graph, known)
            equal = {old: new for old, new in same.items() if not ctx.replace(self.name, {old: new})}
            self._ops(graph, operators, equal, ctx)

    def _ops(
        self, graph: Graph, operators: frozenset[tuple[str, str]], equal: dict[Value, Value], ctx: Context
    ) -> None:
        """Merge the ops of a graph; `equal` are constants that could not be merged, and are equal all the same."""
        commutative = _commutative()
        first: dict[Hashable, Op] = {}
        variants: dict[Hashable, dict[Hashable, Op]] = {}  # by attributes; made where operands are met again
        for op in graph.ops:
            inputs = op.inputs
            if (op.domain, op.op_type) not in operators or not inputs:
                continue
            operands: Iterable[int] = map(id, inputs)
            if equal:
                operands = [id(v if v is None else equal.get(v, v)) for v in inputs]
            elif graph.owner is not None:  # what was merged outside may stand for itself twice in here
                operands = [id(v if v is None else _source(v)) for v in inputs]
            if len(inputs) == 2 and op.op_type in commutative:
                operands = sorted(operands)
            key = (op.op_type, op.domain, *operands)
            met = first.setdefault(key, op)
            if met is op:
                continue
            if key not in variants:
                variants[key] = {attributes_of(met): met}
            attributes = attributes_of(op)
            twin = variants[key].setdefault(attributes, op)
            if twin is not op and attributes is not None and not is_random(op):
                mapping = _results(op, twin)
                if mapping:
                    ctx.replace(self.name, mapping)


def _source(value: Value) -> Value:
    """What a value stands for, in whatever graph that lies."""
    while (outer := value.outer) is not value:
        value = outer
    return value


@cache
def mergeable() -> _Operators:
    """Operators, by domain and name, two ops of which compute the same if they look the same."""
    return frozenset(
        (d.domain, d.name)
        for d in definitions()
        if not d.control and (not d.random or d.name == "Dropout") and d.name != "DequantizeLinear"
    )


@cache
def _commutative() -> frozenset[str]:
    return frozenset(d.name for d in definitions() if d.commutative)


def _results(op: Op, twin: Op) -> dict[Value, Value]:
    """The results of `twin` for those of `op`; empty if one that is used has no counterpart."""
    if len(op.outputs) != len(twin.outputs):  # the number of parts is what tells one Split from another
        return {}
    mapping: dict[Value, Value] = {}
    for old, new in zip(op.outputs, twin.outputs):
        if old is None:
            continue
        if new is not None:
            mapping[old] = new
        elif old.is_needed:
            return {}
    return mapping


# -- attributes --------------------------------------------------------------------------------------------------------


def attributes_of(op: Op) -> Hashable:
    """What tells the attributes of an op from those of others; None if they cannot be compared."""
    known = schema(op.op_type, op.domain)
    items: list[tuple[str, str, Hashable]] = []
    for name, attr in sorted(op.attrs.items()):
        if attr.ref:
            items.append((name, attr.ref, ""))
            continue
        encoded = _encoded(attr.value)
        if encoded is None:
            return None
        default = None if known is None else known.default(name, op.opset)
        if default is None or _encoded(default) != encoded:
            items.append((name, "", encoded))
    return tuple(items)


def _encoded(value: Any) -> Hashable:
    """A value that is equal only for attributes that are the same to the bit; None if there is no such."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, (int, str)):
        return value
    if isinstance(value, tuple):
        parts = tuple(map(_encoded, value))
        return None if None in parts else parts
    if isinstance(value, Tensor):
        return (value.dtype, value.shape, _content(value))
    return None


# -- constants ---------------------------------------------------------------------------------------------------------

_SMALL = 256
_Key = Callable[[Tensor], Hashable]
_Keys = dict[Tensor, Hashable]
_KNOWN: WeakKeyDictionary[Context, tuple[_Keys, _Keys]] = WeakKeyDictionary()
"""Heads and checksums found in a run: a pipeline comes here again and again, and tensors never change."""


def equal_constants(graph: Graph, known: tuple[_Keys, _Keys] | None = None) -> dict[Value, Value]:
    """For each constant of a graph's scope that equals an earlier one that one, an exported one first.

    Only what agrees in type, shape and some bytes is read whole. `known` keeps heads and checksums from call to call.
    """
    heads, checksums = ({}, {}) if known is None else known
    groups: dict[Hashable, list[Value]] = {}
    for value in graph.values:
        if value.role is Role.CONST:
            tensor = value.tensor
            assert tensor is not None
            groups.setdefault((tensor.dtype, tensor.shape), []).append(value)
    same: dict[Value, Value] = {}
    for group in groups.values():
        if len(group) < 2:
            continue
        for alike in _split(group, head, heads):
            size = _tensor(alike[0]).nbytes
            for equal in [alike] if size <= _SMALL else _split(alike, _checksum, checksums):
                _note(graph, equal, same, is_certain=size <= _SMALL)
    return same


def _note(graph: Graph, alike: list[Value], same: dict[Value, Value], is_certain: bool) -> None:
    exported = [v for v in alike if graph.exports(v)]
    first = exported[0] if exported else alike[0]
    for value in alike:
        if value is not first and (is_certain or equal_tensors(_tensor(value), _tensor(first))):
            same[value] = first


def equal_tensors(a: Tensor, b: Tensor) -> bool:
    """True if two tensors of one type and shape are equal in every byte."""
    if a.dtype is DType.STRING:
        return _content(a) == _content(b)
    return np.array_equal(np.frombuffer(a.raw(), np.uint8), np.frombuffer(b.raw(), np.uint8))


def _split(group: list[Value], key: _Key, known: _Keys) -> list[list[Value]]:
    """The parts of a group that agree in a key and have more than one member."""
    parts: dict[Hashable, list[Value]] = {}
    for value in group:
        tensor = _tensor(value)
        found = known.get(tensor)
        if found is None:
            found = known[tensor] = key(tensor)
        parts.setdefault(found, []).append(value)
    return [part for part in parts.values() if len(part) > 1]


def _tensor(value: Value) -> Tensor:
    assert value.tensor is not None
    return value.tensor


def head(tensor: Tensor) -> Hashable:
    """The first and last bytes; of small tensors and of strings all."""
    if tensor.dtype is DType.STRING or tensor.nbytes <= _SMALL:
        return _content(tensor)
    if isinstance(tensor, ArrayTensor):
        flat = tensor.numpy().flat  # may be a transposed view, of which no copy is to be made
        return (flat[:16].tobytes(), flat[-16:].tobytes())
    raw = tensor.raw()
    return (bytes(raw[:64]), bytes(raw[-64:]))


def _checksum(tensor: Tensor) -> Hashable:
    return zlib.crc32(tensor.raw()) if tensor.dtype is not DType.STRING else 0


def _content(tensor: Tensor) -> Hashable:
    """All of a small tensor, in a form that can be a key."""
    if tensor.dtype is DType.STRING:
        return tuple(tensor.numpy().ravel().tolist())
    return bytes(tensor.raw())
