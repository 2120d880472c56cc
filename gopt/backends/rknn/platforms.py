"""The chips that the toolkit knows, and what is fixed about them."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import UsageError

FP16, INT8 = "fp16", "int8"
OPSETS = (1, 19)
"""The opsets that the toolkit reads."""
ALGORITHMS = ("normal", "mmse", "kl_divergence", "gdq")


@dataclass(frozen=True, slots=True)
class Platform:
    """A chip.

    Attributes:
        name: as the toolkit calls it.
        cores: of its NPU.
        dtypes: in which its NPU computes.
        compatible: pieces of what the board says of itself (/proc/device-tree/compatible).
        lite: RKNNLite (Python on the board) exists for it; else the model is run from C or C++.
    """

    name: str
    cores: int
    dtypes: tuple[str, ...]
    compatible: tuple[str, ...]
    lite: bool


_BOTH, _INT8 = (FP16, INT8), (INT8,)
PLATFORMS: dict[str, Platform] = {
    p.name: p
    for p in (
        Platform("rk3588", 3, _BOTH, ("rk3588", "rk3588s", "rk3582"), True),
        Platform("rk3576", 2, _BOTH, ("rk3576",), True),
        Platform("rk3568", 1, _BOTH, ("rk3568",), True),
        Platform("rk3566", 1, _BOTH, ("rk3566",), True),
        Platform("rk3562", 1, _BOTH, ("rk3562",), True),
        Platform("rv1126b", 1, _BOTH, ("rv1126b",), True),
        Platform("rk2118", 1, _BOTH, ("rk2118",), False),
        Platform("rv1103", 1, _INT8, ("rv1103",), False),
        Platform("rv1103b", 1, _INT8, ("rv1103b",), False),
        Platform("rv1106", 1, _INT8, ("rv1106",), False),
        Platform("rv1106b", 1, _INT8, ("rv1106b",), False),
    )
}


def platform(name: str, dtype: str) -> Platform:
    """A chip that computes in a type.

    Raises:
        UsageError: there is no such chip, or it computes in other types alone.
    """
    found = PLATFORMS.get(name.lower())
    if found is None:
        raise UsageError(f"there is no platform {name!r}; there are {', '.join(PLATFORMS)}")
    if dtype not in (FP16, INT8):
        raise UsageError(f"there is no dtype {dtype!r}; there are {FP16} and {INT8}")
    if dtype not in found.dtypes:
        raise UsageError(f"platform {found.name} computes in {', '.join(found.dtypes)} alone, not in {dtype}")
    return found
