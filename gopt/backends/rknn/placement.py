"""Where the toolkit puts each operator, per platform: tables measured with the toolkit itself (`gopt rknn survey`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

FILE = "placement.json"
NPU, CPU, NONE, FAILS, REFUSED = "npu", "cpu", "no kernel", "crash", "refused"

# For these the compiler says "No lowering found": it puts them on the CPU, where the board's runtime has nothing to run
# them with. Whether it says so depends on the model around the op, so the survey is told.
NO_KERNEL = frozenset(
    [
        "Acos",
        "Acosh",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Ceil",
        "Celu",
        "Cosh",
        "IsInf",
        "IsNaN",
        "LpPool",
        "Mean",
        "MeanVarianceNormalization",
        "Min",
        "Mish",
        "RNN",
        "ReduceL1",
        "ReduceLogSum",
        "ReduceProd",
        "ReduceSumSquare",
        "ScatterElements",
        "Selu",
        "Shrink",
        "Sign",
        "Sinh",
        "Softsign",
        "Tan",
        "Trilu",
    ]
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operator ends up.

    Attributes:
        where: "npu", "cpu", "no kernel" (it converts, and nothing on the board can run it), "crash" (the toolkit dies)
            or "refused" (the toolkit says no).
        why: what the toolkit said, for the last three.
    """

    where: str
    why: str = ""


@cache
def _data() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(resources.files(__package__).joinpath(FILE).read_text(encoding="utf-8"))
    return found


def toolkit() -> str:
    """The version of the toolkit that the tables were measured with."""
    return str(_data()["toolkit"])


def place(platform: str, op: str) -> Place | None:
    """Where an operator of the standard domain ends up on a platform; None if that is not known.

    Chips that were not surveyed are looked up under the one whose NPU they share.
    """
    tables = _data()["platforms"]
    table = tables.get(platform) or tables.get(_data()["alike"].get(platform, ""), {})
    found = table.get(op) or ([NONE] if op in NO_KERNEL else None)
    return None if found is None else Place(found[0], found[1] if len(found) > 1 else "")


def everything(platform: str) -> dict[str, Place]:
    """All that is known of a platform."""
    tables = _data()["platforms"]
    table = tables.get(platform) or tables.get(_data()["alike"].get(platform, ""), {})
    return {op: Place(*entry) for op, entry in table.items()}
