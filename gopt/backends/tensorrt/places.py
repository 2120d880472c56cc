"""Which op the parser or the builder means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...ir import Model, Op
from ..base import Blocker, kind

_UNNAMED = "node_of_"
"""The parser names a layer after the first result of a node without a name."""


class Places:
    """The ops of a model by the names under which TensorRT knows them.

    The parser may name no node but its place in the file, which is read for that.
    """

    def __init__(self, model: Model, path: Path | None = None) -> None:
        self._path = path
        self._ops: dict[str, Op] = {}
        for graph in model.graphs():
            for op in graph.ops:
                for name in (op.name, *(v.name for v in op.outputs if v is not None)):
                    if name:
                        self._ops.setdefault(name, op)

    def op(self, name: str) -> Op | None:
        """The op that a layer's name stands for; layers that one op becomes have suffixes."""
        name = name.removeprefix(_UNNAMED)
        while name:
            if name in self._ops:
                return self._ops[name]
            for mark in ("_output", " + ", "_", ":", "."):
                head, _, tail = name.rpartition(mark)
                if head and (mark != "_" or tail.isdigit()):
                    name = head
                    break
            else:
                return None
        return None

    def _at(self, place: int | None, op_type: str | None) -> Op | None:
        """The op of this type in this place of the file's list of nodes."""
        if self._path is None or place is None or place < 0 or not op_type:
            return None
        import onnx

        nodes = onnx.load(str(self._path), load_external_data=False).graph.node
        if place >= len(nodes) or nodes[place].op_type != op_type:
            return None
        return next((self._ops[name] for name in nodes[place].output if name in self._ops), None)

    def blocker(self, stage: str, error: dict[str, Any]) -> Blocker:
        """An error of a stage as a blocker of the op that it means."""
        op = self.op(error.get("node") or "") or self._at(error.get("place"), error.get("op"))
        text = tidy(error.get("text") or "")
        label = op.label if op is not None else error.get("node") or ""
        op_type = kind(op) if op is not None else error.get("op") or ""
        return Blocker(label, op_type, stage, text, evidence="reported")


_PREFIX = re.compile(r"^(?:IBuilder::\w+: )?(?:\[[^]]*::\d+\] )?Error Code \d+: [\w ]+ \(|^Assertion failed: ")
_SOURCE = re.compile(r"\s*(?:In \w+ at /\S+|\[\w+\.cpp::\w+::\d+\].*)")


def tidy(text: str) -> str:
    """What the parser or the builder says, without the places in their sources."""
    if text in ("", "false"):
        return "the parser knows no such operator"
    short = _SOURCE.sub("", _PREFIX.sub("", text)).strip()
    if short.endswith(")") and short.count(")") > short.count("("):
        short = short[: -(short.count(")") - short.count("("))]
    return short or text
