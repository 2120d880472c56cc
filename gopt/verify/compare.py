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
    DType.INT8: Tolerance(5e-2, 1e-4),  # levels, of which a few are others: what passes say, no model does
}
# Below the tolerance, but more than rounding mostly makes: worth a look at how much rounding does make here.
# (Of coarser types the rounding in a model is hardly less than what is allowed.)
KEEN = {DType.FLOAT: Tolerance(2e-5, 1e-12)}
COARSE = Tolerance(2.5e-1, 1e-2)  # types of 8 bits and less
_FINENESS = (DType.DOUBLE, DType.FLOAT, DType.FLOAT16, DType.BFLOAT16)


def coarser(a: DType, b: DType) -> DType:
    """The one of two float types that rounds more."""

    def rank(dtype: DType) -> int:
        return _FINENESS.index(dtype) if dtype in _FINENESS else len(_FINENESS)

    return a if rank(a) >= rank(b) else b


_PARTS = 256
_PART = 16
_WHOLE = 1 << 22
"""An axis of so many positions at most, each with so many elements at least, is looked at position by position, in
tensors that are no larger than this: channels may differ in what they measure, and so in magnitude."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """What may be more than rounding.

    Attributes:
        where: the tensor.
        why: what is to be said of it.
        axis: the axis whose positions were compared one by one, -1 for the tensor as a whole.
        parts: the positions in question.
    """

    where: str
    why: str
    axis: int = -1
    parts: Array | None = None


@dataclass(slots=True)
class Comparison:
    """Errors over all outputs compared so far; `reasons` is empty as long as they agree.

    Attributes:
        max_abs, max_rel: largest error of a number, absolute and relative to the largest magnitude of its output.
        reasons: what is wrong.
        suspects: what may be more than rounding.
        errors: largest error by tensor; infinite where something else than a finite number differs.
        parts: largest error of each position along an axis, by tensor and axis.
        notes: what weakens a good result.
    """

    max_abs: float = 0.0
    max_rel: float = 0.0
    reasons: list[str] = field(default_factory=list)
    suspects: list[Suspect] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)
    parts: dict[tuple[str, int], Array] = field(default_factory=dict)
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
        lenient: numbers that differ are suspects at first, and zeros of either sign are equal.
    """

    coarsest: DType = DType.FLOAT
    exact: bool = False
    tolerance: Tolerance | None = None
    extra: bool = False
    lenient: bool = False

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
            _Floats(where, x, y, self, coarser(dtype_of(x), self.coarsest)).compare(into)
        else:
            _discrete(where, x, y, self, into)

    def allowed(self, dtype: DType) -> Tolerance:
        """Error that is allowed where the coarsest type is this."""
        return self.tolerance or TOLERANCES.get(dtype, COARSE)

    def keen(self, dtype: DType) -> Tolerance | None:
        """Error from which on rounding is looked into, if that is less than what is allowed."""
        return None if self.tolerance or self.exact or self.lenient else KEEN.get(dtype)

    def blame(self, where: str, why: str, into: Comparison) -> None:
        """Note that numbers differ."""
        if self.lenient and not self.exact:
            into.suspects.append(Suspect(where, why))
        else:
            into.reasons.append(why)


def _discrete(where: str, x: Array, y: Array, comparer: Comparer, into: Comparison) -> None:
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
        into.errors[where] = float("inf")
        why = f"{where}: {differing} of {x.size} elements differ, at {place} {old!r} became {new!r}"
        comparer.blame(where, why, into)


class _Floats:
    """One comparison of two float tensors of the same shape."""

    def __init__(self, where: str, x: Array, y: Array, comparer: Comparer, dtype: DType) -> None:
        self.where, self.x, self.y, self.comparer = where, x, y, comparer
        self.allowed, self.keen = comparer.allowed(dtype), comparer.keen(dtype)
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
        into.errors[self.where] = float("inf") if self.odd_at >= 0 else self.worst
        if self.odd_at >= 0:
            place, old, new = _at(self.x, self.y, self.odd_at)
            into.max_abs = into.max_rel = float("inf")
            self.comparer.blame(self.where, f"{self.where}: at {place} {old:g} became {new:g}", into)
        elif self.worst > bound:
            self.comparer.blame(self.where, self._told(f"(allowed {bound:.2g})"), into)
        elif self.comparer.exact and self.bits_at >= 0:
            place, old, new = _at(self.x, self.y, self.bits_at)
            into.reasons.append(
                f"{self.where}: not bit-equal though only exact rewrites were made, at {place} {old!r} became {new!r}"
            )
        elif self.keen is not None and self.worst > self.keen.rtol * self.scale + self.keen.atol:
            into.suspects.append(Suspect(self.where, self._told("(more than rounding)")))
        elif self.keen is not None and self.worst > 0:
            self._compare_parts(into)

    def _told(self, allowed: str) -> str:
        place, old, new = _at(self.x, self.y, self.worst_at)
        return (
            f"{self.where}: error {self.worst:.2g} where the largest value is {self.scale:.3g} {allowed}, "
            f"at {place} {old:.6g} became {new:.6g}"
        )

    def _compare_parts(self, into: Comparison) -> None:
        """Hold each position along an axis against its own magnitude."""
        for axis, error in parts_of(self.where, self.x, self.y, into):
            others = tuple(k for k in range(self.x.ndim) if k != axis)
            scale = np.max(np.abs(self.x.astype(np.float64)), axis=others)
            found = error > self.allowed.rtol * scale + self.allowed.atol
            if found.any():
                k = int(np.argmax(np.where(found, error, 0.0)))
                why = (
                    f"{self.where}: error {error[k]:.2g} where the largest value is {scale[k]:.3g} "
                    f"(more than rounding), at {k} along axis {axis}"
                )
                into.suspects.append(Suspect(self.where, why, axis, found))
                return

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
        if self.comparer.lenient:
            unequal &= p != q
        finite = np.isfinite(p) & np.isfinite(q)
        if self.odd_at < 0 and (odd := unequal & ~finite & (p != q)).any():
            self.odd_at = start + int(np.argmax(odd))
        if self.bits_at < 0 and unequal.any():
            self.bits_at = start + int(np.argmax(unequal))
        error = np.abs(np.subtract(p, q, out=np.zeros_like(p), where=finite))
        k = int(np.argmax(error))
        if error[k] > self.worst:
            self.worst, self.worst_at = float(error[k]), start + k


def parts_of(where: str, x: Array, y: Array, into: Comparison) -> Iterator[tuple[int, Array]]:
    """Largest error of each position along each axis that is worth it; noted, too. For tensors without NaN."""
    if x.ndim < 2 or x.size > _WHOLE or not np.isfinite(x.astype(np.float64)).all():
        return
    error = np.abs(x.astype(np.float64) - y.astype(np.float64))
    for axis, count in enumerate(x.shape):
        if 2 <= count <= _PARTS and x.size >= _PART * count:
            others = tuple(k for k in range(x.ndim) if k != axis)
            into.parts[where, axis] = np.max(error, axis=others)
            yield axis, into.parts[where, axis]


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
