"""Checks of messages that are passed on unread: they must at least be made of fields, all the way down."""

from __future__ import annotations

from ..wire import BYTES, Buffer, Damaged, fields

MAX_DEPTH = 100
"""Messages inside messages; protobuf's own limit."""

# Field numbers of the sub-messages of each message (onnx.proto); all other fields are plain data.
MESSAGES: dict[str, dict[int, str]] = {
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        14: "Type",
        15: "Type",
        22: "Sparse",
        23: "Sparse",
    },
    "Annotation": {2: "Entry"},
    "Device": {},
    "Dim": {},
    "Entry": {},
    "Graph": {
        1: "Node",
        5: "Tensor",
        11: "ValueInfo",
        12: "ValueInfo",
        13: "ValueInfo",
        14: "Annotation",
        15: "Sparse",
        16: "Entry",
    },
    "Group": {},
    "Map": {2: "Type"},
    "Node": {5: "Attribute", 9: "Entry", 10: "Placement"},
    "Placement": {2: "Sharding"},
    "Segment": {},
    "Sequence": {1: "Type"},
    "Shape": {1: "Dim"},
    "ShardedDim": {2: "Simple"},
    "Sharding": {3: "Group", 4: "ShardedDim"},
    "Simple": {},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {3: "Segment", 13: "Entry", 16: "Entry"},
    "TensorType": {2: "Shape"},
    "Training": {1: "Graph", 2: "Graph", 3: "Entry", 4: "Entry"},
    "Type": {1: "TensorType", 4: "Sequence", 5: "Map", 8: "TensorType", 9: "Sequence"},
    "ValueInfo": {2: "Type", 4: "Entry"},
}


def check(buf: Buffer, pos: int, end: int, message: str, depth: int = 0) -> None:
    """Check that a message of the named kind, and all messages in it, consist of fields.

    Raises:
        Damaged: they do not, or they nest too deeply.
    """
    if depth > MAX_DEPTH:
        raise Damaged(f"messages nest deeper than {MAX_DEPTH}")
    inner = MESSAGES[message]
    for number, kind, _, start, stop in fields(buf, pos, end):
        if kind == BYTES and number in inner:
            check(buf, start, stop, inner[number], depth + 1)


def check_entry(buf: Buffer, pos: int, end: int) -> None:
    """Check a StringStringEntryProto: `check(..., "Entry")`, quicker for the usual form."""
    try:
        key = pos + 2 + buf[pos + 1]
        if buf[pos] == 0x0A and key < end and buf[key] == 0x12 and key + 2 + buf[key + 1] == end and buf[key + 1] < 128:
            return
    except IndexError:
        pass
    check(buf, pos, end, "Entry")
