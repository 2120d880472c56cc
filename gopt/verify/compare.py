"""Are two sets of model outputs the same? NaN-aware, and scaled by the magnitude of the output.

Errors are measured against the largest finite magnitude of the reference tensor, not element by element: a sum of
thousands of terms that ends near zero carries the rounding of its terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ir import Array, DType, dtype_of

CHUNK = 1 << 20  # elements compared at a time, so that outputs on disk need not fit into memory


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Error allowed: `rtol` of the largest magnitude of the tensor, plus `atol`."""

    rtol: float
    atol: float


# A model computes as coarsely as its coarsest type: what float16 rounded inside is no better in a float output.
TOLERANCES = {
    DType.DOUBLE: Tolerance(1e-10, 1e-13),
    DType.FLOAT: Tolerance(1e-4, 1e-6),
    DType.FLOAT16: Tolerance(1e-2, 1e-4),
    DType.BFLOAT16: Tolerance(4e-2, 1e-3),
}
COARSE = Tolerance(2.5e-1, 1e-2)  # types of 8 bits and less
_FINENESS = (DType.DOUBLE, DType.FLOAT, DType.FLOAT16, DType.BFLOAT16)


def coarser(a: DType, b: DType) -> DType:
    """The one of two float types that rounds more."""

    def rank(dtype: DType) -> int:
        return _FINENESS.index(dtype) if dtype in _FINENESS else len(_FINENESS)

    return a if rank(a) >= rank(b) else b


@dataclass(slots=True)
class Comparison:
    """Errors over all outputs compared so far; `reasons` is empty as long as they agree."""

    max_abs: float = 0.0
    max_rel: float = 0.0
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """True if nothing differs by more than is allowed."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Comparer:
    """How outputs are compared.

    Attributes:
        coarsest: the coarsest float type that the original computes in.
        exact: demand the same bits, up to which NaN it is.
        tolerance: instead of that of the types.
        extra: outputs that only the candidate has are allowed.
    """

    coarsest: DType = DType.FLOAT
    exact: bool = False
    tolerance: Tolerance | None = None
    extra: bool = False

    def outputs(self, expected: Mapping[str, Any], got: Mapping[str, Any], into: Comparison) -> None:
        """Compare all outputs of one run; the mappings are in the order of the interface."""
        self.names(list(expected), list(got), into)
        for name, value in expected.items():
            if name in got:
                self.value(f"output {name!r}", value, got[name], into)

    def names(self, expected: list[str], got: list[str], into: Comparison) -> None:
        """Every expected output is there, in the same order; others only where they are allowed."""
        known = set(expected)
        if missing := [name for name in expected if name not in got]:
            into.reasons.append(f"output {missing[0]!r} is gone")
        elif extra := [name for name in got if name not in known and not self.extra]:
            into.reasons.append(f"there is a new output {extra[0]!r}")
        elif [name for name in got if name in known] != expected:
            into.reasons.append("the outputs are in another order")

    def value(self, where: str, x: Any, y: Any, into: Comparison) -> None:
        """Compare two values: tensors, or sequences, maps and optionals of them."""
        if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            self.tensor(where, x, y, into)
        elif isinstance(x, Mapping) and isinstance(y, Mapping):
            if list(x) != list(y) and set(x) != set(y):
                into.reasons.append(f"{where}: the keys differ")
            else:
                for key in x:
                    self.value(f"{where}[{key!r}]", x[key], y[key], into)
        elif isinstance(x, (list, tuple)) and isinstance(y, (list, tuple)):
            if len(x) != len(y):
                into.reasons.append(f"{where}: {len(x)} elements became {len(y)}")
            else:
                for k, (a, b) in enumerate(zip(x, y)):
                    self.value(f"{where}[{k}]", a, b, into)
        elif x is None or y is None or isinstance(x, (str, bytes)):
            if type(x) is not type(y) or x != y:
                into.reasons.append(f"{where}: {_kind(x)} became {_kind(y)}")
        elif np.isscalar(x) and np.isscalar(y):
            self.tensor(where, np.asarray(x), np.asarray(y), into)
        else:
            into.reasons.append(f"{where}: {_kind(x)} became {_kind(y)}")

    def tensor(self, where: str, x: Array, y: Array, into: Comparison) -> None:
        """Compare two tensors: type, shape, then every element."""
        if x.dtype != y.dtype or x.shape != y.shape:
            into.reasons.append(f"{where}: {x.dtype}{list(x.shape)} became {y.dtype}{list(y.shape)}")
        elif x.dtype.kind == "c":
            part = np.dtype(f"f{x.dtype.itemsize // 2}")
            self.tensor(where, _flat(x).view(part), _flat(y).view(part), into)
        elif not x.size:
            return
        elif dtype_of(x).is_float:
            _Floats(where, x, y, self._allowed(dtype_of(x)), self.exact).compare(into)
        else:
            _discrete(where, x, y, into)

    def _allowed(self, dtype: DType) -> Tolerance:
        return self.tolerance or TOLERANCES.get(coarser(dtype, self.coarsest), COARSE)


def _discrete(where: str, x: Array, y: Array, into: Comparison) -> None:
    """Integers, booleans and strings: every element is the same."""
    differing, first = 0, -1
    for start, a, b in _chunks(x, y):
        unequal = np.flatnonzero(a != b)
        if unequal.size:
            first = start + int(unequal[0]) if first < 0 else first
            differing += unequal.size
            if x.dtype.kind in "iu":
                into.max_abs = max(into.max_abs, float(np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)))))
    if differing:
        place, old, new = _at(x, y, first)
        into.reasons.append(f"{where}: {differing} of {x.size} elements differ, at {place} {old!r} became {new!r}")


class _Floats:
    """One comparison of two float tensors of the same shape."""

    def __init__(self, where: str, x: Array, y: Array, allowed: Tolerance, exact: bool) -> None:
        self.where, self.x, self.y, self.exact = where, x, y, exact
        self.allowed = allowed
        self.scale = 0.0
        self.worst, self.worst_at = 0.0, -1
        self.odd_at = -1  # where one is finite and the other is not, or infinities or NaN disagree
        self.bits_at = -1

    def compare(self, into: Comparison) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            self._scale(into)
            for start, a, b in _chunks(self.x, self.y):
                self._chunk(start, a, b)
        bound = self.allowed.rtol * self.scale + self.allowed.atol
        into.max_abs = max(into.max_abs, self.worst)
        into.max_rel = max(into.max_rel, self.worst / self.scale if self.scale else float(bool(self.worst)))
        if self.odd_at >= 0:
            place, old, new = _at(self.x, self.y, self.odd_at)
            into.max_abs = into.max_rel = float("inf")
            into.reasons.append(f"{self.where}: at {place} {old:g} became {new:g}")
        elif self.worst > bound:
            place, old, new = _at(self.x, self.y, self.worst_at)
            into.reasons.append(
                f"{self.where}: error {self.worst:.2g} where the largest value is {self.scale:.3g} "
                f"(allowed {bound:.2g}), at {place} {old:.6g} became {new:.6g}"
            )
        elif self.exact and self.bits_at >= 0:
            place, old, new = _at(self.x, self.y, self.bits_at)
            into.reasons.append(
                f"{self.where}: not bit-equal though only exact rewrites were made, at {place} {old!r} became {new!r}"
            )

    def _scale(self, into: Comparison) -> None:
        any_finite = False
        for _, a, _ in _chunks(self.x, self.y):
            wide = np.abs(a.astype(np.float64))
            finite = wide[np.isfinite(wide)]
            if finite.size:
                any_finite = True
                self.scale = max(self.scale, float(finite.max()))
        if not any_finite:
            into.notes.append(f"{self.where} has no finite value")

    def _chunk(self, start: int, a: Array, b: Array) -> None:
        unequal = _bits(a) != _bits(b)
        if not unequal.any():
            return
        p, q = a.astype(np.float64), b.astype(np.float64)
        unequal &= ~(np.isnan(p) & np.isnan(q))
        finite = np.isfinite(p) & np.isfinite(q)
        if self.odd_at < 0 and (odd := unequal & ~finite & (p != q)).any():
            self.odd_at = start + int(np.argmax(odd))
        if self.bits_at < 0 and unequal.any():
            self.bits_at = start + int(np.argmax(unequal))
        error = np.abs(np.subtract(p, q, out=np.zeros_like(p), where=finite))
        k = int(np.argmax(error))
        if error[k] > self.worst:
            self.worst, self.worst_at = float(error[k]), start + k


def _bits(a: Array) -> Array:
    return a.view(f"u{a.dtype.itemsize}")


def _flat(a: Array) -> Array:
    return np.ascontiguousarray(a).reshape(-1)


def _chunks(x: Array, y: Array) -> Iterator[tuple[int, Array, Array]]:
    x, y = _flat(x), _flat(y)
    for start in range(0, x.size, CHUNK):
        yield start, x[start : start + CHUNK], y[start : start + CHUNK]


def _at(x: Array, y: Array, flat: int) -> tuple[list[int], Any, Any]:
    """Index and both elements at a flat position."""
    place = [int(k) for k in np.unravel_index(flat, x.shape)]
    old, new = _flat(x)[flat], _flat(y)[flat]
    if dtype_of(x).is_float:
        return place, float(old), float(new)
    return place, getattr(old, "item", lambda: old)(), getattr(new, "item", lambda: new)()


def _kind(value: Any) -> str:
    if value is None:
        return "an absent value"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return "a sequence" if isinstance(value, list) else "a map" if isinstance(value, dict) else type(value).__name__
