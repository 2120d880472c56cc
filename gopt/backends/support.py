"""Support tables: what a target takes, as data.

A table is a TOML file with rows `[[row]]`. A row names operators (`ops`, others than standard ones as domain::Type) and
says under which conditions the target takes them; several rows may name the same operator, and then all of them hold.
An operator that no row names is refused.

    ops         operators
    targets     names of targets for which the row holds; all that share the table by default
    refused     the operator is not taken at all; the text says why
    types       element types of the main operand, or by operand: { X = ["FLOAT"], indices = ["INT64"] }
    ranks       fewest and most dims by operand: { X = [3, 5] }
    constant    operands that must be constants
    absent      operands that must not be given
    attributes  what an attribute may be: a list of values, "ones", "zeros", "absent"
    gives       element types that the first result may have
    values      what a constant operand may hold, by operand: { training_mode = [0] }
    results     how many results may be used
    reason      what to tell in place of a generated sentence
    remedy      the pass that cures it
    hint        what else may help
    evidence    documented (default) or measured
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from .. import ops
from ..errors import GoptError
from ..ir import DType, Model, Op, TensorType, Value
from ..ops.schemas import schema
from .base import Blocker, kind

_KEYS = {
    "absent",
    "attributes",
    "constant",
    "evidence",
    "gives",
    "hint",
    "ops",
    "ranks",
    "reason",
    "refused",
    "remedy",
    "results",
    "targets",
    "types",
    "values",
}
MAIN = ""
"""Stands for the first operand where a row names types without an operand."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a support table; the fields are those that the module's text explains."""

    ops: tuple[str, ...]
    targets: tuple[str, ...]
    refused: str
    types: Mapping[str, frozenset[DType]]
    ranks: Mapping[str, tuple[int, int]]
    constant: tuple[str, ...]
    absent: tuple[str, ...]
    attributes: Mapping[str, Any]
    gives: frozenset[DType]
    values: Mapping[str, Any]
    results: int | None
    reason: str
    remedy: str
    hint: str
    evidence: str

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Row:
        """A row from its text form.

        Raises:
            GoptError: it holds a key that no row has, or a type that there is not.
        """
        if unknown := sorted(set(data) - _KEYS):
            raise GoptError(f"a support table has no {unknown[0]!r}: {data}")
        types = data.get("types", {})
        try:
            by_operand = types if isinstance(types, dict) else {MAIN: types}
            gives = frozenset(DType[t] for t in data.get("gives", ()))
            allowed = {name: frozenset(DType[t] for t in listed) for name, listed in by_operand.items()}
        except KeyError as error:
            raise GoptError(f"a support table names a type that there is not: {error}") from None
        return cls(
            ops=tuple(data["ops"]),
            targets=tuple(data.get("targets", ())),
            refused=data.get("refused", ""),
            types=allowed,
            ranks={name: (low, high) for name, (low, high) in data.get("ranks", {}).items()},
            constant=tuple(data.get("constant", ())),
            absent=tuple(data.get("absent", ())),
            attributes=data.get("attributes", {}),
            gives=gives,
            values=data.get("values", {}),
            results=data.get("results"),
            reason=data.get("reason", ""),
            remedy=data.get("remedy", ""),
            hint=data.get("hint", ""),
            evidence=data.get("evidence", "documented"),
        )

    def blocker(self, op: Op, rule: str, reason: str) -> Blocker:
        """What breaks this row."""
        return Blocker(op.label, kind(op), rule, self.reason or reason, self.remedy, self.hint, self.evidence)

    def broken(self, op: Op) -> Iterator[Blocker]:
        """The conditions that an op does not meet. What is not known of it counts as met."""
        if self.refused:
            yield self.blocker(op, "operator", self.refused)
            return
        for name, types in self.types.items():
            value = _operand(op, name)
            type_ = None if value is None else value.type
            if isinstance(type_, TensorType) and type_.dtype not in types:
                which = f"operand {name}" if name else "its operand"
                yield self.blocker(op, "type", f"{which} is {type_.dtype.name.lower()}, of {_names(types)}")
        for name, (low, high) in self.ranks.items():
            value = _operand(op, name)
            rank = value.type.rank if value is not None and isinstance(value.type, TensorType) else None
            if rank is not None and not low <= rank <= high:
                span = str(low) if low == high else f"{low} to {high}"
                yield self.blocker(op, "rank", f"operand {name} has {rank} dims, not {span}")
        for name in self.constant:
            value = _operand(op, name)
            if value is not None and value.const is None:
                yield self.blocker(op, "constant", f"operand {name} is not constant")
        for name in self.absent:
            if _operand(op, name) is not None:
                yield self.blocker(op, "operand", f"operand {name} is given")
        for name, wanted in self.attributes.items():
            if (why := _attribute(op, name, wanted)) is not None:
                yield self.blocker(op, "attribute", why)
        yield from self._broken_contents(op)

    def _broken_contents(self, op: Op) -> Iterator[Blocker]:
        """What an op gives, and what its constant operands hold."""
        result = op.output(0)
        type_ = None if result is None else result.type
        if self.gives and isinstance(type_, TensorType) and type_.dtype not in self.gives:
            yield self.blocker(op, "type", f"it gives {type_.dtype.name.lower()}, of {_names(self.gives)}")
        for name, wanted in self.values.items():
            tensor = value.const if (value := _operand(op, name)) is not None else None
            if tensor is not None and tensor.size == 1 and tensor.item() not in wanted:
                yield self.blocker(op, "operand", f"operand {name} is {tensor.item()}")
        if self.results is not None:
            used = [v for v in op.outputs[self.results :] if v is not None and (v.is_needed or v.graph is None)]
            if used:
                yield self.blocker(op, "result", f"result {used[0].name} is used, of which only {self.results} can be")


class Support:
    """The rows of a table that hold for one target.

    Attributes:
        rows: by operator.
        opsets: lowest and highest opset that the target knows; None if that is not said.
        types: element types that values may have at all; empty if that is not said.
    """

    def __init__(self, table: Mapping[str, Any], target: str) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.types = frozenset(DType[t] for t in table.get("types", ()))
        limits = table.get("opsets")
        self.opsets: tuple[int, int] | None = None if limits is None else (limits[0], limits[1])
        for data in table.get("row", ()):
            row = Row.read(data)
            if not row.targets or target in row.targets:
                for name in row.ops:
                    self.rows.setdefault(name, []).append(row)

    def check(self, model: Model) -> Iterator[Blocker]:
        """The ops of a model, bodies and functions included, that break a row, in dataflow order."""
        called = {(f.domain, f.name) for f in model.functions.values()}
        for graph in model.graphs():
            for op in graph.ops:
                if (op.domain, op.op_type) not in called:
                    yield from self.broken(op)

    def broken(self, op: Op) -> Iterator[Blocker]:
        """What one op breaks."""
        if self.types and (why := self._strange(op)):
            yield Blocker(op.label, kind(op), "type", why)
            return
        rows = self.rows.get(kind(op))
        if rows is None:
            yield Blocker(op.label, kind(op), "operator", "the target knows no such operator")
            return
        for row in rows:
            yield from row.broken(op)

    def _strange(self, op: Op) -> str:
        """Which operand or result has a type that the target has not; "" if none."""
        for value in (*op.inputs, *op.outputs):
            type_ = None if value is None else value.type
            if value is None or type_ is None:
                continue
            if not isinstance(type_, TensorType):
                return f"{value.name} is no tensor"
            if type_.dtype not in self.types:
                return f"{value.name} is {type_.dtype.name.lower()}, a type that the target has not"
        return ""


@cache
def read_table(package: str, name: str = "support.toml") -> dict[str, Any]:
    """A table that lies in a package."""
    return tomllib.loads(resources.files(package).joinpath(name).read_text(encoding="utf-8"))


def _operand(op: Op, name: str) -> Value | None:
    """The operand of that name in the operator's newest schema, however this opset spells it; MAIN is the first."""
    try:
        found = ops.operands(op)
    except ops.UnboundAttribute:
        return None
    place = 0
    if name != MAIN:
        known = schema(op.op_type, op.domain)
        if known is None or name.lower() not in known.slots:
            return None
        place = known.slots[name.lower()]
    return found[place] if place < len(found) else None


def _attribute(op: Op, name: str, wanted: Any) -> str | None:
    """Why an attribute is not what is wanted; None if it is, or if that is not known."""
    try:
        value = ops.attribute(op, name)
    except ops.UnboundAttribute:
        return None
    if wanted == "absent":
        return None if value is None else f"attribute {name} is given"
    if value is None:
        return None
    if wanted in ("ones", "zeros"):
        number = 1 if wanted == "ones" else 0
        items = value if isinstance(value, tuple) else (value,)
        return None if all(v == number for v in items) else f"attribute {name} is {list(items)}, not all {number}"
    allowed = [tuple(w) if isinstance(w, list) else w for w in wanted]
    return None if value in allowed else f"attribute {name} is {value!r}, of {', '.join(map(str, wanted))}"


def _names(types: frozenset[DType]) -> str:
    return ", ".join(t.name.lower() for t in sorted(types))
