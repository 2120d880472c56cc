"""Layout: transposes, reshapes, slices and other moves of elements, merged, cancelled and moved out of the way."""

from __future__ import annotations

MODULES = (
    "blocks",
    "parts",
    "transpose",
    "turned",
    "reshape",
    "reduce",
    "gather",
    "counted",
    "slices",
    "concat",
    "alike",
    "focus",
    "split",
    "sequences",
    "expand",
    "common",
    "repeat",
    "pads",
    "broadcast",
    "across",
    "products",
    "scalars",
    "tables",
    "decided",
)
