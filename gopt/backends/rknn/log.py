"""What the toolkit's verbose log tells: the table of layers, ops without a kernel, warnings, memory.

The layer table is the only cost model off the board, and the return code of a build proves little: an op that no kernel
exists for is told in the log alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

_COLOUR = re.compile(r"\x1b\[[0-9;]*m|\[[01];3[0-9]m|\[0m")
_PREFIX = re.compile(r"^([DIWEN]) (?:RKNN: \[[\d:.]+\] ?)?")
_TABLE = "Network Layer Information Table"
_ROW = re.compile(
    r"(?P<number>\d+)\s+(?P<type>\S+)\s+(?P<dtype>[A-Z][A-Z0-9_]*)\s+(?P<target>[A-Z]+)\s+(?P<inputs>\S+)\s+"
    r"(?P<outputs>\S+)\s+(?:(?P<ddr>\d+)/(?P<npu>\d+)/(?P<total>\d+)\s+)?(?P<kilobytes>[\d.]+)?\s*(?P<name>\S.*)?"
)
# "No lowering found for: Mish", with the name of the node in brackets and its type behind it or in the next line; and
# "Failed to lowering: Mish, use CustomOperatorLower instead.", which leaves the op to a kernel that the user brings.
_NO_KERNEL = re.compile(
    r"(?:No lowering found for|Failed to lowering)[: ]*(?P<what>.*?)(?:, use CustomOperatorLower.*)?\s*$", re.IGNORECASE
)
_KIND = re.compile(r"\bnode type\s*=\s*(?P<type>\w+)", re.IGNORECASE)
_MEMORY = re.compile(r"Total (Internal|Weight) Memory Size: ([\d.]+) ?([KMG]?B)", re.IGNORECASE)
_UNITS = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}

# What a line of the log means: a piece of it, how much it matters, and what to tell a person.
_MEANINGS = (
    ("REGTASK: The bit width of field value exceeds", "risk", "a register of the NPU is too narrow for a size in this "
     "layer: the result may be wrong, or the driver may time out, on the board"),
    ("Unkown op target: 0", "benign", "a layer that runs on the CPU"),
    ("need parameter qtype", "benign", "a constant of integers without quantization"),
    ("mean_values is None", "benign", "inputs are taken as they are"),
    ("std_values is None", "benign", "inputs are taken as they are"),
    ("The default input dtype of", "note", "the type in which the board takes an input"),
    ("The default output dtype of", "note", "the type in which the board gives an output"),
    ("fallback", "note", "a layer was put on another device"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of the converted model, as the log lists it.

    Attributes:
        number: its place.
        type: the toolkit's name for what it does; fused ops have one name.
        dtype: of its results.
        target: "NPU" or "CPU".
        inputs, outputs: shapes, as text.
        ddr, npu, total: estimated cycles: for moving data, for computing, and the larger.
        kilobytes: moved from and to memory.
        name: of the node that it came from, with the toolkit's type in front.
    """

    number: int
    type: str
    dtype: str
    target: str
    inputs: str
    outputs: str
    ddr: int
    npu: int
    total: int
    kilobytes: float
    name: str

    @property
    def is_interface(self) -> bool:
        """True for the entries that stand for an input or output of the model."""
        return self.type in ("InputOperator", "OutputOperator")

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Remark:
    """A warning or an error in the log: how much it matters ("risk", "note", "benign"), its text and its meaning."""

    weight: str
    text: str
    meaning: str
    count: int = 1

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Log:
    """What a log tells.

    Attributes:
        layers: the last table of layers, without the entries for inputs and outputs.
        no_kernel: what no kernel exists for on the board, each once.
        remarks: warnings and errors, each text once.
        memory: bytes by "internal" and "weight".
    """

    layers: list[Layer] = field(default_factory=list)
    no_kernel: list[str] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)

    def on(self, target: str) -> int:
        """How many layers run there."""
        return sum(layer.target == target for layer in self.layers)

    @property
    def cycles(self) -> int:
        """Estimated cycles in all."""
        return sum(layer.total for layer in self.layers)

    @property
    def kilobytes(self) -> float:
        """Moved from and to memory in all."""
        return sum(layer.kilobytes for layer in self.layers)

    @property
    def risks(self) -> list[Remark]:
        """The remarks that threaten the result on the board."""
        return [r for r in self.remarks if r.weight == "risk"]

    def summary(self) -> dict[str, Any]:
        """Counts in plain types."""
        return {
            "layers_npu": self.on("NPU"),
            "layers_cpu": len(self.layers) - self.on("NPU"),
            "cycles": self.cycles,
            "kilobytes": round(self.kilobytes, 2),
            "no_kernel": list(self.no_kernel),
            "risks": sum(r.count for r in self.risks),
            "memory": dict(self.memory),
        }


def read(text: str) -> Log:
    """Read a log."""
    found = Log()
    lines = [_COLOUR.sub("", line).rstrip() for line in text.replace("\r", "\n").splitlines()]
    found.layers = [layer for layer in _last_table(lines) if not layer.is_interface]
    remarks: dict[tuple[str, str], Remark] = {}
    missing: dict[str, None] = {}
    for place, line in enumerate(lines):
        kind = _PREFIX.match(line)
        said = line[kind.end() :].strip() if kind else line.strip()
        if refused := _NO_KERNEL.search(said):
            missing[_type_of(refused["what"], lines[place + 1 : place + 2])] = None
        if size := _MEMORY.search(said):
            found.memory[size[1].lower()] = int(float(size[2]) * _UNITS[size[3].upper()])
        if kind and kind[1] in "WE":
            _note(remarks, kind[1], said)
    found.no_kernel = list(missing)
    found.remarks = list(remarks.values())
    return found


def _type_of(what: str, following: Iterable[str]) -> str:
    """The type of the op that a complaint is about, if it tells it; else what it says."""
    for line in (what, *following):
        if found := _KIND.search(line):
            return found["type"]
    return what


def _note(remarks: dict[tuple[str, str], Remark], kind: str, said: str) -> None:
    known = next((m for m in _MEANINGS if m[0] in said), None)
    piece, weight, meaning = known or (said, "risk" if kind == "E" else "note", "")
    before = remarks.get((weight, piece))
    text, count = (before.text, before.count + 1) if before else (said, 1)
    remarks[weight, piece] = Remark(weight, text, meaning, count)


def _last_table(lines: list[str]) -> list[Layer]:
    """The table that stands last: a build prints one per attempt."""
    starts = [place for place, line in enumerate(lines) if _TABLE in line]
    return list(_rows(lines[starts[-1] + 1 :])) if starts else []


def _rows(lines: Iterable[str]) -> Iterator[Layer]:
    rules = 0
    for line in lines:
        said = _PREFIX.sub("", line).strip()
        if said and not said.strip("-"):
            rules += 1
            if rules == 3:  # above the header, below it, and at the end
                return
            continue
        if found := _ROW.match(said):
            yield _layer(found)


def _layer(row: re.Match[str]) -> Layer:
    return Layer(
        number=int(row["number"]),
        type=row["type"],
        dtype=row["dtype"],
        target=row["target"],
        inputs=row["inputs"],
        outputs=row["outputs"],
        ddr=int(row["ddr"] or 0),
        npu=int(row["npu"] or 0),
        total=int(row["total"] or 0),
        kilobytes=float(row["kilobytes"] or 0),
        name=(row["name"] or "").strip(),
    )


_NUMBERS = r"(?P<{}>[\d.na-]+) \| (?P<{}>[\d.na-]+)"
_ERROR_ROW = re.compile(
    r"\[(?P<type>[^\]]+)\] (?P<name>.+?)\s+"
    + _NUMBERS.format("cosine", "distance")
    + r"\s+"
    + _NUMBERS.format("cosine_alone", "distance_alone")
)


def read_analysis(text: str) -> list[dict[str, Any]]:
    """The toolkit's comparison layer by layer: cosine and Euclidean distance, added up and of the layer alone."""
    rows = (_ERROR_ROW.fullmatch(line.strip()) for line in text.splitlines())
    return [
        {
            "layer": row["name"],
            "type": row["type"],
            "cosine": _number(row["cosine"]),
            "distance": _number(row["distance"]),
            "cosine_alone": _number(row["cosine_alone"]),
            "distance_alone": _number(row["distance_alone"]),
        }
        for row in rows
        if row
    ]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number == number else None  # NaN is no JSON
