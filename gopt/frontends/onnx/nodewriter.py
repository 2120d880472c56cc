"""NodeProto, written: what is as it was goes out as the extent of the file that it came from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from ...ir import Attr, AttrKind, FileTensor, Graph, Op, Tensor, Value
from ..wire import BYTES, Chunks, fields, string_field, varint
from . import nodes as node_fields
from .attributes import encode_attribute
from .external import DataFile
from .notes import ConstantNote, NodeNote
from .tensorwriter import encode_external, encode_tensor


class NodeEncoder(ABC):
    """Encodes the nodes of one model.

    Attributes:
        ir_version: before 4, constants are listed among the inputs.
        data: where external data go; None: they stay where they are.
        spill: constants of at least so many bytes go there too; None: none.
    """

    def __init__(self, ir_version: int, data: DataFile | None = None, spill: int | None = None) -> None:
        self.ir_version = ir_version
        self.data = data
        self.spill = spill

    @abstractmethod
    def graph(self, graph: Graph) -> Chunks:
        """A GraphProto, for the bodies of an op."""

    def moves(self, tensor: Tensor) -> bool:
        """True if the data of a tensor go to the file beside the model."""
        if self.data is None:
            return False
        if isinstance(tensor, FileTensor):
            return True
        return self.spill is not None and tensor.dtype.bits > 0 and tensor.nbytes >= self.spill

    def tensor(self, tensor: Tensor, name: str) -> Chunks:
        """A TensorProto."""
        if self.data is not None and self.moves(tensor):
            return encode_external(tensor, name, self.data.name, self.data.put(tensor))
        return encode_tensor(tensor, name)

    def node(self, chunks: Chunks, op: Op, number: int) -> None:
        """Append the field of an op's node."""
        inputs = [v.name if v is not None else "" for v in op.inputs]
        outputs = [v.name if v is not None else "" for v in op.outputs]
        note = op.source
        for inner, outer in op.captures.items():
            inner.name = outer.name  # a capture goes by the name of what it stands for
        if not isinstance(note, NodeNote):
            chunks.message(number, self._new_node(op, inputs, outputs))
        elif (
            inputs == note.inputs
            and outputs == note.outputs
            and op.attrs is note.attrs
            and op.name == note.name
            and not op.bodies
            and not (note.external and self._moves_any(note.attrs.values()))
        ):
            chunks.extent(note.source, note.start, note.end)
        else:
            attrs = None if op.attrs is note.attrs and not op.bodies and not note.external else op.attrs
            name = None if op.name == note.name else op.name
            chunks.message(number, self._spliced(note, inputs, outputs, name, attrs))

    def _moves_any(self, attrs: Iterable[Attr]) -> bool:
        return any(
            self.moves(tensor)
            for attr in attrs
            for tensor in (attr.value if isinstance(attr.value, tuple) else (attr.value,))
            if isinstance(tensor, Tensor)
        )

    def _spliced(
        self,
        note: NodeNote,
        inputs: Sequence[str],
        outputs: Sequence[str],
        name: str | None = None,
        attrs: dict[str, Attr] | None = None,
    ) -> Chunks:
        """A node of the file with other operands and results, and with another name and other attributes if given."""
        replaced = [node_fields.INPUT, node_fields.OUTPUT]
        chunks = Chunks()
        chunks.data(_names(node_fields.INPUT, inputs) + _names(node_fields.OUTPUT, outputs))
        if name is None and attrs is None and (behind := _behind_names(note)):
            chunks.extent(note.source, behind, note.end)
            return chunks
        if name is not None:
            replaced.append(node_fields.NAME)
            chunks.text(node_fields.NAME, name)
        if attrs is not None:
            replaced.append(node_fields.ATTRIBUTE)
        kept = [f for f in fields(note.source.buf, note.body, note.end) if f[0] not in replaced]
        for number, _, start, _, stop in kept:
            if number <= node_fields.OP_TYPE:
                chunks.extent(note.source, start, stop)
        if attrs is not None:
            self._attributes(chunks, attrs)
        for number, _, start, _, stop in kept:
            if number > node_fields.OP_TYPE:
                chunks.extent(note.source, start, stop)
        return chunks

    def _new_node(self, op: Op, inputs: Sequence[str], outputs: Sequence[str]) -> Chunks:
        chunks = Chunks()
        named = inputs if op.bodies else _trimmed(inputs)  # a Loop has to name its trip count and condition
        chunks.data(_names(node_fields.INPUT, named) + _names(node_fields.OUTPUT, _trimmed(outputs)))
        if op.name:
            chunks.text(node_fields.NAME, op.name)
        chunks.text(node_fields.OP_TYPE, op.op_type)
        self._attributes(chunks, op.attrs)
        if op.domain:
            chunks.text(node_fields.DOMAIN, op.domain)
        if op.overload:
            chunks.text(node_fields.OVERLOAD, op.overload)
        return chunks

    def _attributes(self, chunks: Chunks, attrs: dict[str, Attr]) -> None:
        for name, attr in attrs.items():
            chunks.message(node_fields.ATTRIBUTE, encode_attribute(name, attr, self.tensor, self.graph))

    def _constant(self, chunks: Chunks, value: Value, number: int) -> None:
        """Append the field of a Constant node."""
        if not is_node(value):
            assert value.tensor is not None
            op = Op("Constant", attrs={"value": Attr(AttrKind.TENSOR, value.tensor)})
            chunks.message(number, self._new_node(op, (), (value.name,)))
            return
        node = value.spelling.node
        moves = node.external or self.spill is not None
        if moves and self._moves_any(node.attrs.values()):
            chunks.message(number, self._spliced(node, (), (value.name,), attrs=dict(node.attrs)))
        elif [value.name] == node.outputs:
            chunks.extent(node.source, node.start, node.end)
        else:
            chunks.message(number, self._spliced(node, (), (value.name,)))

    def nodes(self, chunks: Chunks, graph: Graph, constants: Sequence[Value], number: int) -> None:
        """Append the fields of all nodes, a constant's before the first node that takes it."""
        for node in in_order(graph.ops, constants):
            if isinstance(node, Op):
                self.node(chunks, node, number)
            else:
                self._constant(chunks, node, number)


def in_order(ops: Sequence[Op], constants: Iterable[Value]) -> Iterable[Op | Value]:
    """Ops, and constants that are nodes: these at their places in the file, but before the first op that takes them."""
    queue = sorted(constants, key=_order)
    if not queue:
        return ops
    nodes: list[Op | Value] = []
    waiting = dict.fromkeys(queue)
    at = 0
    for op in ops:
        due = [value for value in (*op.inputs, *op.captures.values()) if value in waiting]
        while at < len(queue) and _order(queue[at]) < op.order:
            due.append(queue[at])
            at += 1
        due = [value for value in dict.fromkeys(due) if value in waiting]
        for value in sorted(due, key=_order) if len(due) > 1 else due:
            del waiting[value]
            nodes.append(value)
        nodes.append(op)
    return [*nodes, *waiting]


def is_node(value: Value) -> bool:
    """True for a constant that is a Constant node of the file."""
    return isinstance(value.spelling, ConstantNote) and value.spelling.tensor is value.tensor


def _order(value: Value) -> float:
    return value.spelling.order if is_node(value) else -1.0


def _behind_names(note: NodeNote) -> int:
    """Where the other fields of a node begin; 0 if operands and results do not all stand at its beginning."""
    buf, pos, end = note.source.buf, note.body, note.end
    left = len(note.inputs) + len(note.outputs)
    while left and pos < end and buf[pos] in _NAME_TAGS:
        size, at = varint(buf, pos + 1)
        pos = at + size
        left -= 1
    return 0 if left else pos


_NAME_TAGS = (node_fields.INPUT << 3 | BYTES, node_fields.OUTPUT << 3 | BYTES)


def _names(number: int, names: Sequence[str]) -> bytes:
    return b"".join([string_field(number, name) for name in names])


def _trimmed(names: Sequence[str]) -> Sequence[str]:
    """Without omitted ones at the end."""
    end = len(names)
    while end and not names[end - 1]:
        end -= 1
    return names[:end]
