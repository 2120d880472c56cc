"""Operator schemas of all versions, from a table that `tools/make_schemas.py` makes: so onnx need not be imported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from ..ir import AttrKind, DType


class Schema:
    """What the schemas of one operator say, all versions together.

    Attributes:
        since: versions at which the schema changed, ascending.
        deprecated: version at which the operator was withdrawn, 0 if it was not.
        inputs: operand names of the newest version.
        variadic: the last operand may be repeated.
        firm: slots whose operand the newest version does not let one omit.
        slots: operand slot by lower-case name.
        variables: names of the operands' type variables: operands of one name have one type.
        kinds: kinds of all attributes that any version has.
        defaults: newest default of each attribute that the newest version has (None: no default).
        filled: room for a reader to keep what it derived from the defaults, by version.
    """

    __slots__ = (
        "_attrs",
        "_least",
        "_many",
        "_most",
        "_need",
        "_types",
        "defaults",
        "deprecated",
        "filled",
        "firm",
        "inputs",
        "kinds",
        "since",
        "slots",
        "variables",
        "variadic",
    )

    def __init__(self, row: dict[str, Any]) -> None:
        self.since: tuple[int, ...] = tuple(v for v in row["since"] if isinstance(v, int))
        self.deprecated: int = row["since"][-1][0] if isinstance(row["since"][-1], list) else 0
        self.inputs = tuple(name.rstrip("?*") for name in row["inputs"])
        self.firm = tuple(slot for slot, name in enumerate(row["inputs"]) if name[-1] not in "?*")
        self.variadic = bool(row["inputs"]) and row["inputs"][-1].endswith("*")
        self.slots = {name.lower(): slot for slot, name in enumerate(self.inputs)}
        self.variables: tuple[str, ...] = tuple(row["vars"])
        self.kinds = {name: AttrKind(entry[0]) for name, entry in row["attrs"].items()}
        self._attrs = {name: [(e[0], _value(e[1:])) for e in entry[1:]] for name, entry in row["attrs"].items()}
        self._types = [(types[0], tuple(types[1:])) for types in row["types"]]
        self._least: list[list[int]] = row["least"]
        self._many: list[list[int]] = row["many"]
        self._most: list[list[int]] = row["most"]
        self._need: list[tuple[int, list[str]]] = row.get("need", [])
        self.filled: dict[int, dict[str, Any]] = {}
        newest = self.since[-1]
        self.defaults = {name: self.default(name, newest) for name in self._attrs if self.has_attribute(name, newest)}

    def available(self, version: int) -> bool:
        """True if the operator exists at a version of its domain."""
        return self.since[0] <= version and not 0 < self.deprecated <= version

    def has_attribute(self, name: str, version: int) -> bool:
        """True if the operator has the attribute at a version."""
        found = self._entry(name, version)
        return found is not None and found != ()

    def default(self, name: str, version: int) -> Any:
        """The default of an attribute at a version; None if it has none there."""
        found = self._entry(name, version)
        return found[0] if found else None

    def masks(self, version: int) -> tuple[int, ...]:
        """Bit mask of element types per operand at a version; 0 where something else than a tensor may stand."""
        result: tuple[int, ...] = ()
        for since, masks in self._types:
            if since <= version:
                result = masks
        return result

    def least(self, version: int) -> int:
        """Number of operands that an op must have at a version."""
        return next((count for since, count in reversed(self._least) if since <= version), 0)

    def many(self, version: int) -> int:
        """Number of operands that an op may have at a version."""
        return next((count for since, count in reversed(self._many) if since <= version), 0)

    def need(self, version: int) -> tuple[str, ...]:
        """Attributes that an op must have at a version."""
        return next((tuple(names) for since, names in reversed(self._need) if since <= version), ())

    def most(self, version: int) -> int:
        """Number of results that an op may have at a version."""
        return next((count for since, count in reversed(self._most) if since <= version), 0)

    def takes(self, slot: int, dtype: DType, version: int) -> bool:
        """True if a tensor of that element type may stand in an operand slot at a version."""
        masks = self.masks(version)
        if not masks:
            return False
        if slot >= len(masks):
            if not self.variadic:
                return False
            slot = len(masks) - 1
        return not masks[slot] or bool(masks[slot] >> dtype & 1)

    def _entry(self, name: str, version: int) -> tuple[Any, ...] | None:
        result = None
        for since, value in self._attrs.get(name, ()):
            if since <= version:
                result = value
        return result


def schema(op_type: str, domain: str = "") -> Schema | None:
    """The schema of an operator, None if onnx defines no such operator."""
    found: Schema | None = _cached(f"{domain}::{op_type}" if domain else op_type)
    return found


def names() -> Iterator[tuple[str, str]]:
    """Domain and name of each operator of the table."""
    for key in _table():
        domain, _, name = key.rpartition("::")
        yield domain, name


@cache
def newest(domain: str = "") -> int:
    """Newest version of a domain at which the table knows of a change; 0 for a domain that it does not know."""
    prefix = f"{domain}::" if domain else ""
    rows = [row for key, row in _table().items() if key.rpartition("::")[0] == prefix[:-2]]
    return max((v if isinstance(v, int) else v[0] for row in rows for v in row["since"]), default=0)


@cache
def _cached(key: str) -> Schema | None:
    row = _table().get(key)
    return None if row is None else Schema(row)


@cache
def _table() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("schemas.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _value(entry: list[Any]) -> tuple[Any, ...]:
    """() for an attribute that is gone, else the default alone; lists become tuples, as the IR has them."""
    return tuple(tuple(v) if isinstance(v, list) else v for v in entry)
