"""NodeProto, read."""

from __future__ import annotations

import numpy as np

from ...errors import ModelError
from ...ir import Array, ArrayTensor, Attr, AttrKind, Tensor
from ..limits import limits
from ..wire import BYTES, Damaged, Odd, Source, fields, text, varint
from .attributes import AttributeReader
from .external import Folder
from .notes import NodeNote
from .schema import check, check_entry

INPUT, OUTPUT, NAME, OP_TYPE, ATTRIBUTE, DOC, DOMAIN, OVERLOAD, METADATA, PLACEMENT = range(1, 11)
STANDARD_DOMAINS = ("", "ai.onnx")


class NodeReader:
    """Reads the nodes of one model."""

    def __init__(self, source: Source, folder: Folder) -> None:
        self._source = source
        self._folder = folder
        self.attributes = AttributeReader(source, folder)
        self._longest = limits().name

    def read(self, start: int, body: int, end: int) -> NodeNote:
        """The node in `body:end`.

        Raises:
            ModelError: it is malformed.
        """
        buf = self._source.buf
        inputs: list[str] = []
        outputs: list[str] = []
        attrs: dict[str, Attr] = {}
        op_type = domain = overload = name = ""
        bodies = False
        used, self._folder.used = self._folder.used, False
        pos = body
        while pos < end:
            tag = buf[pos]
            if tag not in _TAGS:
                number, _, _, _, pos = next(fields(buf, pos, end))
                if number in _NUMBERS:
                    raise Odd(f"field {number} of a node in another wire type")
                continue
            size = buf[pos + 1]
            at = pos + 2
            if size > 127:
                size, at = varint(buf, pos + 1)
                if size > self._longest and tag in _NAMES:
                    raise Damaged(f"a name of {size} bytes: {buf[at : at + 40]!r}... (--input-limit name=BYTES)")
            pos = at + size
            if tag == 0x0A:
                inputs.append(buf[at:pos].decode())
            elif tag == 0x12:
                outputs.append(buf[at:pos].decode())
            elif tag == 0x2A:
                key, attr = self._attribute(at, pos, end)
                if key in attrs:
                    raise ModelError(f"node {name or op_type!r} has the attribute {key!r} twice")
                attrs[key] = attr
                bodies = bodies or attr.kind in _GRAPHS
            elif tag == 0x22:
                op_type = buf[at:pos].decode()
            elif tag == 0x1A:
                name = buf[at:pos].decode()
            elif tag == 0x3A:
                domain = buf[at:pos].decode()
            elif tag == 0x4A:
                check_entry(buf, at, pos)
            elif tag == 0x42:
                overload = text(buf[at:pos])
            elif tag == 0x52:
                check(buf, at, pos, "Placement")
        if pos != end:
            raise Damaged("a node ends in the middle of a field")
        note = NodeNote()
        note.source, note.start, note.body, note.end = self._source, start, body, end
        note.op_type, note.domain, note.overload = op_type, "" if domain == "ai.onnx" else domain, overload
        note.name, note.inputs, note.outputs, note.attrs = name, inputs, outputs, attrs
        note.bodies, note.external = bodies, self._folder.used
        self._folder.used = used or note.external
        return note

    def _attribute(self, start: int, end: int, limit: int) -> tuple[str, Attr]:
        if end > limit:
            raise Damaged("a node ends in the middle of an attribute")
        return self.attributes.read(start, end)


_GRAPHS = frozenset((AttrKind.GRAPH, AttrKind.GRAPHS))
_NUMBERS = frozenset(range(INPUT, PLACEMENT + 1))
_NAMES = frozenset((0x0A, 0x12, 0x1A, 0x22, 0x3A))
_TAGS = frozenset(number << 3 | BYTES for number in _NUMBERS)


def constant_of(node: NodeNote) -> Tensor | None:
    """The tensor that a Constant node gives; None if it is another op, or gives none that is known at once.

    Source: ONNX operator Constant.
    """
    if node.op_type != "Constant" or node.domain or len(node.outputs) != 1 or not node.outputs[0] or node.inputs:
        return None
    if len(node.attrs) != 1:
        return None
    ((name, attr),) = node.attrs.items()
    dtype = _CONSTANT.get(name)
    if dtype is None or attr.ref or attr.kind is not dtype[0]:
        return None
    if isinstance(attr.value, Tensor):
        return attr.value
    if dtype[1] is object:
        return ArrayTensor(_strings(attr.value))
    return ArrayTensor(np.array(attr.value, dtype[1]))


def _strings(value: str | tuple[str, ...]) -> Array:
    several = isinstance(value, tuple)
    texts = [t.encode("utf-8", "surrogateescape") for t in (value if isinstance(value, tuple) else (value,))]
    array = np.empty(len(texts), object)
    array[:] = texts
    return array if several else array.reshape(())


_CONSTANT: dict[str, tuple[AttrKind, type]] = {
    "value": (AttrKind.TENSOR, object),
    "value_float": (AttrKind.FLOAT, np.float32),
    "value_floats": (AttrKind.FLOATS, np.float32),
    "value_int": (AttrKind.INT, np.int64),
    "value_ints": (AttrKind.INTS, np.int64),
    "value_string": (AttrKind.STRING, object),
    "value_strings": (AttrKind.STRINGS, object),
}
