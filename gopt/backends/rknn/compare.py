"""How far the simulator's results are from those of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...ir import Array


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one output.

    Attributes:
        name: of the output.
        cosine: of the angle between both, as vectors; 1 where both are zero.
        error: the largest difference, in units of the largest magnitude that is expected.
        shape: of the output.
        finite: no NaN or infinity is where none is expected.
    """

    name: str
    cosine: float
    error: float
    shape: tuple[int, ...]
    finite: bool

    def as_dict(self) -> dict[str, Any]:
        """The same in plain types; numbers that JSON lacks are null."""
        return {
            "output": self.name,
            "cosine": _plain(self.cosine),
            "scaled_error": _plain(self.error),
            "shape": list(self.shape),
            "finite": self.finite,
        }


def agreements(expected: Mapping[str, Array], got: Sequence[Array], names: Sequence[str]) -> list[Agreement]:
    """Compare outputs in order; those that are not expected are passed over, those that are missing disagree."""
    found = [agreement(name, expected[name], array) for name, array in zip(names, got) if name in expected]
    missing = [name for name in names[len(got) :] if name in expected]
    return found + [Agreement(name, float("nan"), float("inf"), expected[name].shape, False) for name in missing]


def agreement(name: str, expected: Array, got: Array) -> Agreement:
    """Compare one output; sizes of 1 may be elsewhere, for the toolkit drops and adds such dims."""
    a, b = expected.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    if a.size != b.size:
        return Agreement(name, float("nan"), float("inf"), expected.shape, False)
    known = np.isfinite(a)
    finite = bool(np.isfinite(b[known]).all())
    if not finite:
        return Agreement(name, float("nan"), float("inf"), expected.shape, False)
    a, b = a[known], b[known]
    if not a.size:
        return Agreement(name, 1.0, 0.0, expected.shape, finite)
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    zero = not a.any() and not b.any()
    cosine = 1.0 if zero else float(a @ b) / norms if norms else 0.0
    scale = float(np.abs(a).max())
    worst = float(np.abs(a - b).max())
    return Agreement(name, min(cosine, 1.0), worst / scale if scale else worst, expected.shape, finite)


def _plain(number: float) -> float | None:
    return round(number, 7) if np.isfinite(number) else None
