"""Fusion: several ops become one, their constants become its weights, bias or attributes."""

from __future__ import annotations

MODULES = (
    "elementwise",
    "quotients",
    "terms",
    "clamp",
    "variadic",
    "activation",
    "powers",
    "reduce",
    "norm",
    "softmax",
    "logic",
    "masks",
    "batchnorm",
    "conv",
    "pool",
    "matmul",
    "gemm",
    "recurrent",
    "chain",
    "parallel",
    "through",
    "spread",
    "factors",
    "siblings",
    "attention",
    "directions",
    "branches",
    "sizes",
)
