"""The two kinds of node of the bipartite graph: operators (Op) and the values between them (Value)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .tensor import ArrayTensor, Tensor
from .types import Type

if TYPE_CHECKING:
    from .graph import Graph


class AttrKind(IntEnum):
    """Kinds of attributes, numbered as `AttributeProto.AttributeType` is."""

    UNDEFINED = 0
    FLOAT = 1
    INT = 2
    STRING = 3
    TENSOR = 4
    GRAPH = 5
    FLOATS = 6
    INTS = 7
    STRINGS = 8
    TENSORS = 9
    GRAPHS = 10
    SPARSE_TENSOR = 11
    SPARSE_TENSORS = 12
    TYPE_PROTO = 13
    TYPE_PROTOS = 14


class Attr:
    """An attribute of an op; never changed in place.

    `value` is a float, int, str (undecodable bytes by surrogate escapes), Tensor, Graph, or a tuple of these; sparse
    tensors and types are opaque objects of the frontend. `ref` names the attribute of the enclosing function that
    stands here, then `value` is None. `raw` is the wire form that a frontend may keep, to write an untouched attribute
    as it was.
    """

    __slots__ = ("kind", "raw", "ref", "value")

    def __init__(self, kind: AttrKind, value: Any, ref: str = "", raw: bytes | None = None) -> None:
        self.kind = kind
        self.value = value
        self.ref = ref
        self.raw = raw

    @staticmethod
    def of(value: Any) -> Attr:
        """The attribute for a Python value; an empty sequence is INTS.

        Raises:
            TypeError: no attribute kind holds such a value.
        """
        if isinstance(value, Attr):
            return value
        if isinstance(value, np.ndarray):
            value = ArrayTensor(value)
        if isinstance(value, (list, tuple)):
            items = [Attr.of(v) for v in value]
            kind = _PLURAL.get(items[0].kind) if items else AttrKind.INTS
            if kind is None or any(i.kind != items[0].kind for i in items):
                raise TypeError(f"no attribute holds {value!r}")
            return Attr(kind, tuple(i.value for i in items))
        if isinstance(value, bytes):
            return Attr(AttrKind.STRING, value.decode("utf-8", "surrogateescape"))
        if isinstance(value, (bool, int, np.integer)):
            return Attr(AttrKind.INT, int(value))
        if isinstance(value, (float, np.floating)):
            with np.errstate(over="ignore"):
                return Attr(AttrKind.FLOAT, float(np.float32(value)))
        if isinstance(value, str):
            return Attr(AttrKind.STRING, value)
        if isinstance(value, Tensor):
            return Attr(AttrKind.TENSOR, value)
        if hasattr(value, "nx"):
            return Attr(AttrKind.GRAPH, value)
        raise TypeError(f"no attribute holds {value!r}")

    def __repr__(self) -> str:
        return f"${self.ref}" if self.ref else repr(self.value)


_PLURAL = {
    AttrKind.FLOAT: AttrKind.FLOATS,
    AttrKind.INT: AttrKind.INTS,
    AttrKind.STRING: AttrKind.STRINGS,
    AttrKind.TENSOR: AttrKind.TENSORS,
    AttrKind.GRAPH: AttrKind.GRAPHS,
}


class Declared:
    """What the file says of a value: its type (parsed when first asked for) and its wire form, kept for saving."""

    __slots__ = ("_parse", "_type", "raw")

    def __init__(
        self, type_: Type | None = None, raw: bytes | None = None, parse: Callable[[bytes], Type | None] | None = None
    ) -> None:
        self._type = type_
        self._parse = parse
        self.raw = raw

    @property
    def type(self) -> Type | None:
        """The declared type; None if the declaration says nothing."""
        if self._parse is not None and self.raw is not None:
            self._type, self._parse = self._parse(self.raw), None
        return self._type


class Capture(NamedTuple):
    """Edge key of a value that a body takes from the graph outside: `inner` is its stand-in inside `body`."""

    tag: str
    body: Graph
    inner: Value


Slot = int | Capture


class Use(NamedTuple):
    """One use of a value: an operand slot of an op, or a capture by one of its bodies."""

    op: Op
    slot: Slot


class Role(IntEnum):
    """How a value comes to be."""

    RESULT = 0
    INPUT = 1
    CONST = 2
    CAPTURE = 3


class Value:
    """An edge of the dataflow: a graph input, a constant, an op's result, or the stand-in of a captured outer value.

    Attributes:
        name: label, unique within its scope.
        role: how the value comes to be.
        declared: what the file said of its type; for saving, never read by a rule.
        type: type as inferred; written by `gopt.analysis` alone.
        tensor: data of a constant; for an INPUT, its default (an overridable initializer: not a constant).
        spelling: frontend's note on how a constant was written (initializer, Constant node); None for a new one.
        graph: the graph it lies in, None while detached.
    """

    __slots__ = ("declared", "graph", "name", "role", "spelling", "tensor", "type")

    def __init__(
        self,
        name: str = "",
        role: Role = Role.RESULT,
        tensor: Tensor | None = None,
        type_: Type | None = None,
    ) -> None:
        self.name = name
        self.role = role
        self.tensor = tensor
        self.type = type_
        self.declared: Declared | None = None
        self.spelling: Any = None
        self.graph: Graph | None = None

    @property
    def const(self) -> Tensor | None:
        """The tensor if the value is constant, also where it is captured from outside; overridable inputs are not."""
        if self.role is Role.CONST:
            return self.tensor
        if self.role is Role.CAPTURE:
            outer = self.outer
            return None if outer is self else outer.const
        return None

    @property
    def outer(self) -> Value:
        """The outer value that a CAPTURE stands for; any other value is its own outer."""
        if self.role is not Role.CAPTURE or self.graph is None or self.graph.owner is None:
            return self
        return self.graph.owner.captures[self]

    @property
    def producer(self) -> Op | None:
        """The op whose result this is; None for inputs, constants, captures and detached values."""
        return self.graph.producer(self) if self.graph is not None else None

    @property
    def uses(self) -> list[Use]:
        """All uses by ops of its graph, captures included, in a stable order. Graph outputs are apart (`is_output`)."""
        return self.graph.uses(self) if self.graph is not None else []

    @property
    def use_count(self) -> int:
        """Number of uses by ops; one that takes the value twice counts twice. Looks at every user."""
        return self.graph.use_count(self) if self.graph is not None else 0

    @property
    def has_one_use(self) -> bool:
        """True if exactly one operand slot of one op takes it. Costs the same however many users there are."""
        return self.graph is not None and self.graph.has_one_use(self)

    @property
    def is_needed(self) -> bool:
        """True if an op uses it, the graph exports it, or it is kept. Costs the same however many users there are."""
        return self.graph is not None and self.graph.needs(self)

    @property
    def is_output(self) -> bool:
        """True if the graph exports it."""
        return self.graph is not None and self.graph.exports(self)

    def __repr__(self) -> str:
        return f"%{self.name}"


class Op:
    """An operator application. None among the operands or results is an omitted optional one (`""` in files).

    Only `Graph` changes an op once it is attached.

    Attributes:
        op_type, domain, overload: which operator; the standard domain is "".
        name: the node's name in the file; may be empty, need not be unique.
        attrs: attributes by name.
        inputs: formal operands.
        outputs: results.
        captures: outer value of each CAPTURE value of its bodies.
        bodies: graphs among its attributes, in order.
        order: position hint; saving and `Graph.ops` keep this order where dataflow leaves a choice.
        entry: number of the ledger entry that made it, 0 for an op of the input model.
        imports: opset imports that hold while the op is detached (those of the graph it is meant for).
        source: frontend's note on how the node was written; None for a new one.
    """

    __slots__ = (
        "attrs",
        "bodies",
        "captures",
        "domain",
        "entry",
        "graph",
        "imports",
        "inputs",
        "name",
        "op_type",
        "order",
        "outputs",
        "overload",
        "source",
    )

    def __init__(
        self,
        op_type: str,
        inputs: Sequence[Value | None] = (),
        outputs: Sequence[Value | None] | int = 1,
        attrs: Mapping[str, Attr] | None = None,
        domain: str = "",
        name: str = "",
        overload: str = "",
    ) -> None:
        self.op_type = op_type
        self.domain = domain
        self.overload = overload
        self.name = name
        self.attrs: dict[str, Attr] = dict(attrs) if attrs else {}
        self.inputs: tuple[Value | None, ...] = tuple(inputs)
        self.outputs: tuple[Value | None, ...] = (
            tuple(Value() for _ in range(outputs)) if isinstance(outputs, int) else tuple(outputs)
        )
        self.graph: Graph | None = None
        self.imports: dict[str, int] | None = None
        self.captures: dict[Value, Value] = {}
        self.bodies: tuple[Graph, ...] = ()
        for attr in self.attrs.values():
            if attr.kind in _WITH_GRAPHS:
                self.bodies = tuple(_bodies(self.attrs.values()))
                for body in self.bodies:
                    body.owner = self
                break
        self.order: float = -1.0
        self.entry = 0
        self.source: Any = None

    def attr(self, name: str, default: Any = None) -> Any:
        """The value of an attribute as the file spells it, or `default`. Meaning across opsets: `gopt.ops.view`."""
        found = self.attrs.get(name)
        return default if found is None or found.ref else found.value

    def input(self, slot: int) -> Value | None:
        """The operand in a slot; None if omitted or past the end."""
        return self.inputs[slot] if slot < len(self.inputs) else None

    def output(self, slot: int) -> Value | None:
        """The result in a slot; None if omitted or past the end."""
        return self.outputs[slot] if slot < len(self.outputs) else None

    @property
    def result(self) -> Value:
        """The first result.

        Raises:
            ValueError: the op has no first result.
        """
        if not self.outputs or self.outputs[0] is None:
            raise ValueError(f"{self!r} has no first result")
        return self.outputs[0]

    @property
    def opset(self) -> int:
        """Version of the op's domain that its graph (while detached: `imports`) imports; 0 if none does."""
        imports = self.imports if self.graph is None else self.graph.opsets
        return imports.get(self.domain, 0) if imports else 0

    @property
    def label(self) -> str:
        """How messages name the op: its type and its node name, or the name of its first result."""
        name = self.name or next((v.name for v in self.outputs if v is not None and v.name), "")
        kind = f"{self.domain}::{self.op_type}" if self.domain else self.op_type
        return f"{kind} {name!r}" if name else kind

    def __repr__(self) -> str:
        outs = ", ".join("_" if v is None else v.name or "?" for v in self.outputs)
        ins = ", ".join("_" if v is None else v.name or "?" for v in self.inputs)
        return f"{outs} = {self.op_type}({ins})"


_WITH_GRAPHS = frozenset((AttrKind.GRAPH, AttrKind.GRAPHS))


def _bodies(attrs: Iterable[Attr]) -> Iterable[Graph]:
    for attr in attrs:
        if attr.ref:
            continue
        if attr.kind is AttrKind.GRAPH:
            yield attr.value
        elif attr.kind is AttrKind.GRAPHS:
            yield from attr.value
