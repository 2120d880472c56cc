"""Lowering: what compilers for devices do not take, said by what they take. No part of @default."""

from __future__ import annotations

MODULES = (
    "dims",
    "squeeze",
    "branches",
    "contrib",
    "loops",
    "recurrent",
    "ranks",
    "norm",
    "dft",
    "types",
    "doubles",
    "quantized",
    "sparse",
)
