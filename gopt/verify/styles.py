"""How the numbers of further runs are drawn: each style shows mistakes that plain random numbers do not.

Plain numbers lie between -1 and 1, no two of them are equal, none is zero, and whole numbers are small and positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from ..ir import Array

Rng = np.random.Generator
_FAR = 1e6


class Style(StrEnum):
    """What is drawn.

    PLAIN: what runs begin with. WIDE: magnitudes from 0.03 to 30 of both signs, whole numbers up to 100,000 of both
    signs, indices that count from the end. STEPS: halves, zeros among them, and the numbers that the model compares
    with, so that there are ties. STEADY: samples that hardly vary, the first of them around zero. ODD: NaN and
    infinities here and there.
    """

    PLAIN = "plain"
    WIDE = "wide"
    STEPS = "steps"
    STEADY = "steady"
    ODD = "odd"


def floats(style: Style, rng: Rng, shape: tuple[int, ...], ties: Sequence[float]) -> Array:
    """Numbers in a style other than plain."""
    if style is Style.WIDE:
        wide = np.asarray(np.where(rng.random(shape) < 0.5, -1, 1) * 10 ** rng.uniform(-1.5, 1.5, shape))
        # Beyond what the model compares with, too: on both sides of it, half of it, and twice as much.
        return _mixed(rng, wide, [c * t for t in ties if t and abs(t) < _FAR for c in (0.5, 0.99, 1.01, 2.0)], 0.1)
    if style is Style.STEPS:
        return _mixed(rng, np.asarray(rng.integers(-6, 7, shape) / 2), ties)
    if style is Style.STEADY:
        levels = np.zeros(1) if len(shape) < 2 else np.resize([0.0, 0.01, -0.03], max(shape[0], 1))
        return np.asarray(levels.reshape(-1, *[1] * (len(shape) - 1))[: shape[0]] if shape else 0.0) + (
            1e-3 * rng.standard_normal(shape)
        )
    plain = rng.standard_normal(shape)
    return _mixed(rng, plain, (np.nan, np.inf, -np.inf), share=max(0.02, min(0.2, 4 / max(plain.size, 1))))


def whole(style: Style, rng: Rng, shape: tuple[int, ...], ties: Sequence[float]) -> Array:
    """Whole numbers of which nothing is known, in a style other than plain; they may have to be clipped."""
    if style is Style.WIDE:
        return np.asarray(np.where(rng.random(shape) < 0.5, -1, 1) * (10 ** rng.uniform(0, 5, shape)).astype(np.int64))
    near = [int(t) + k for t in ties if float(t).is_integer() for k in (0, 0, -1, 1)]
    return _mixed(rng, np.asarray(rng.integers(-3, 4, shape)), near).astype(np.int64)


def _mixed(rng: Rng, drawn: Array, others: Sequence[float], share: float = 1 / 3) -> Array:
    """Other numbers here and there."""
    if not len(others) or not drawn.size:
        return drawn
    return np.asarray(np.where(rng.random(drawn.shape) < share, rng.choice(np.asarray(others), drawn.shape), drawn))
