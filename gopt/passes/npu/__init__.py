"""What compilers for NPUs take badly or not at all, said by what they keep on the NPU. No part of @default."""

from __future__ import annotations

MODULES = (
    "branches",
    "activation",
    "elementwise",
    "reduce",
    "norm",
    "pool",
    "recurrent",
    "quantized",
    "gather",
    "movement",
    "conv",
    "interface",
    "results",
)
