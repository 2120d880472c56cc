"""Runnable random inputs, from what a model declares of its own inputs and does with them.

A case is an assignment of sizes to the model's dynamic dims; case and seed together determine every element.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ModelError
from ..ir import Array, DType
from ..ir.expressions import SizeExpr, evaluate, names_in
from .flow import Facts, Usage
from .styles import Style, floats, whole

# Tried in a tensor whose rank the model does not say.
FREE_SHAPES: dict[int, tuple[int, ...]] = {1: (6,), 2: (2, 6), 3: (2, 3, 6), 4: (1, 3, 8, 8), 0: ()}
_LARGEST = 1 << 31  # elements of one input


@dataclass(slots=True)
class InputSpec:
    """One declared input.

    Attributes:
        name: its name.
        kind: tensor, sequence, optional or map.
        dtype: element type of the (innermost) tensor.
        dims: declared dims, None if not even the rank is declared.
        usage: what the model does with it.
        key: key type of a map.
        nested: of an optional, that its content is a sequence.
    """

    name: str
    kind: str
    dtype: DType
    dims: tuple[SizeExpr, ...] | None
    usage: Usage = field(default_factory=Usage)
    key: DType = DType.UNDEFINED
    nested: bool = False

    def variables(self) -> list[str]:
        """Names of the sizes to choose, in order of axes."""
        if self.dims is None:
            return [f"{self.name}.rank"]
        return [name for dim in self.dims if isinstance(dim, str) for name in names_in(dim)]

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape under an assignment."""
        if self.dims is None:
            return FREE_SHAPES[sizes[f"{self.name}.rank"]]
        return tuple(dim if isinstance(dim, int) else evaluate(dim, sizes) for dim in self.dims)


def specs(model: Any, facts: Facts, given: Collection[str] = ()) -> list[InputSpec]:
    """The inputs that must be fed; of those with a default only the ones for which data are given.

    Raises:
        ModelError: an input has a type that cannot be fed.
    """
    defaults = {t.name for t in model.graph.initializer} | {t.values.name for t in model.graph.sparse_initializer}
    return [_spec(info, facts) for info in model.graph.input if info.name not in defaults or info.name in given]


def _spec(info: Any, facts: Facts) -> InputSpec:
    kinds: list[str] = []
    type_, key = info.type, 0
    while (which := type_.WhichOneof("value")) != "tensor_type":
        if which == "map_type":
            key = type_.map_type.key_type
            type_ = type_.map_type.value_type
        elif which in {"sequence_type", "optional_type"}:
            type_ = getattr(type_, which).elem_type
        else:
            raise ModelError(f"input {info.name!r} is of a type that cannot be fed ({which or 'none declared'})")
        kinds.append(which.removesuffix("_type"))
    if kinds not in ([], ["sequence"], ["optional"], ["map"], ["optional", "sequence"]):
        raise ModelError(f"input {info.name!r} is of a nested type that cannot be fed ({' of '.join(kinds)})")
    tensor = type_.tensor_type
    if tensor.elem_type not in DType._value2member_map_ or not tensor.elem_type:
        raise ModelError(f"input {info.name!r} has an unknown element type")
    dtype = DType(tensor.elem_type)
    dims: tuple[SizeExpr, ...] | None = None
    if tensor.HasField("shape") or kinds == ["map"]:
        dims = tuple(_dim(d, f"{info.name}.{k}") for k, d in enumerate(tensor.shape.dim))
    usage = facts.usage(info.name, None if dims is None or kinds else len(dims), dtype.is_float)
    return InputSpec(info.name, kinds[0] if kinds else "tensor", dtype, dims, usage, DType(key), len(kinds) > 1)


def _dim(dim: Any, fallback: str) -> SizeExpr:
    """A number, else a name; a negative number means that nothing is known. ONNX Runtime insists on a declared 0."""
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return int(dim.dim_value)
    text = str(dim.dim_param).strip()
    if not text or text == "?":
        return fallback
    return text


# -- elements ----------------------------------------------------------------------------------------------------------

STATE = re.compile(r"^(h|c)_?\d*$|state|hidden|cell|cache|past|memory", re.I)
_LENGTH = re.compile(r"len(gth)?s?$|lens|length|n_frames|num_frames", re.I)
_RATE = re.compile(r"^(sr|sample_?rate|sampling_?rate)$", re.I)
_MASK = re.compile(r"mask", re.I)
_WORDS = ("alpha", "Beta", "gamma delta", "x", "42", "", "naïve")
_PATTERNS: dict[str, Callable[[int], Array]] = {
    "ascending": np.arange,
    "free": lambda count: np.where(np.arange(count) == 0, -1, 1),
    "scales": lambda count: np.where(np.arange(count) < count - 2, 1, 2),
}
WIDTHS = 5
"""How many readings of integers about which nothing is known `feed` has (`width`): as derived, then ever fewer."""


def feed(
    inputs: list[InputSpec], sizes: Mapping[str, int], seed: int, width: int = 0, style: Style = Style.PLAIN
) -> dict[str, Any]:
    """Values for all inputs.

    Raises:
        ModelError: an input would be absurdly large.
    """
    shapes = {spec.name: spec.shape(sizes) for spec in inputs}
    for name, shape in shapes.items():
        if np.prod(shape, dtype=np.float64) > _LARGEST:
            raise ModelError(f"input {name!r} would have the shape {list(shape)}")
    axes = [s[-1] if width == 0 else min(s) for s in shapes.values() if len(s) >= 2]
    span = max(axes, default=1) if width == 0 else min(axes, default=1)
    result: dict[str, Any] = {}
    for number, spec in enumerate(inputs):
        rng = np.random.default_rng([seed, number])
        maker = _Maker(spec, rng, seed, max(1, span), width, style)
        result[spec.name] = maker.make(shapes[spec.name])
    return result


class _Maker:
    """Makes the value of one input."""

    def __init__(
        self, spec: InputSpec, rng: np.random.Generator, seed: int, span: int, width: int, style: Style
    ) -> None:
        self.spec, self.rng, self.seed, self.span, self.width, self.style = spec, rng, seed, span, width, style

    def make(self, shape: tuple[int, ...]) -> Any:
        spec = self.spec
        if spec.kind == "sequence" or spec.nested:
            return [self.tensor(shape) for _ in range(3)]
        if spec.kind == "map":
            keys = spec.usage.words or list(_WORDS[:3]) if spec.key is DType.STRING else list(range(4))
            return {key: self.tensor(()).item() for key in keys}
        return self.tensor(shape)

    def tensor(self, shape: tuple[int, ...]) -> Array:
        dtype, usage = self.spec.dtype, self.spec.usage
        if dtype is DType.STRING:
            words = [*usage.words, *_WORDS]
            picks = self.rng.integers(0, len(words), shape)
            return np.array([words[k] for k in np.ravel(picks)], object).reshape(shape)
        if dtype is DType.BOOL:
            return np.asarray(self.rng.integers(0, 2, shape), np.bool_)
        if dtype in {DType.COMPLEX64, DType.COMPLEX128}:
            return np.asarray(self._floats(shape) + 1j * self._floats(shape)).astype(dtype.numpy)
        whole = not dtype.is_float or usage.lo is not None or usage.hi is not None
        with np.errstate(all="ignore"):
            return np.asarray(self._whole(shape) if whole else self._floats(shape)).astype(dtype.numpy)

    def _floats(self, shape: tuple[int, ...]) -> Array:
        if self.spec.dtype is DType.FLOAT8E8M0:  # powers of two
            return np.asarray(2.0 ** self.rng.integers(-3, 4, shape))
        # Both signs; then none below zero, for roots and logarithms; then what activations look like.
        kind = self.seed % 3
        between = self.spec.usage.between
        if between is not None and np.prod(shape) == 1:  # a bound: low if it is the least, high if it is the greatest
            third = 0.0 if "min" in self.spec.name.lower() else 2 / 3 if "max" in self.spec.name.lower() else 1 / 3
            drawn = between[0] + (between[1] - between[0]) * (third + self.rng.uniform(0, 1 / 3, shape))
        elif self.style is not Style.PLAIN:
            drawn = floats(self.style, self.rng, shape, self.spec.usage.ties)
        elif kind == 0:
            drawn = self.rng.uniform(-1, 1, shape)
        elif kind == 1:
            drawn = self.rng.uniform(0, 1, shape)
        else:
            drawn = self.rng.standard_normal(shape) * 0.5
        return np.asarray(drawn) * (0.1 if STATE.search(self.spec.name) else 1.0)

    def _whole(self, shape: tuple[int, ...]) -> Array:
        usage, name = self.spec.usage, self.spec.name
        bounded = usage.lo is not None or usage.hi is not None
        lo, hi = self._bounds()
        if usage.manner in _PATTERNS:
            return _PATTERNS[usage.manner](int(np.prod(shape))).reshape(shape)
        if not bounded and (usage.manner == "length" or (len(shape) <= 1 and _LENGTH.search(name))):
            return self._lengths(shape)
        if np.prod(shape) == 1 and usage.choices:
            legal = [c for c in usage.choices if not bounded or lo <= c < hi] or usage.choices
            return np.full(shape, legal[self.seed % len(legal)])
        if _RATE.match(name) and not bounded:
            return np.full(shape, 16000)
        if _MASK.search(name) and not bounded:  # mostly open
            return np.asarray(self.rng.random(shape) < 0.8) | (np.arange(shape[-1]) == 0 if shape else True)
        if self.style in {Style.WIDE, Style.STEPS} and self.width == 0:
            if bounded and usage.from_end and lo == 0:
                lo = -hi
            elif not bounded:
                return self._unbounded(shape)
        drawn = np.asarray(self.rng.integers(lo, hi, shape))
        inside = [c for c in usage.choices if lo <= c < hi]
        if inside and drawn.size:  # values that the model looks for, here and there
            drawn = np.where(self.rng.random(shape) < 0.1, self.rng.choice(inside, shape), drawn)
        return drawn

    def _unbounded(self, shape: tuple[int, ...]) -> Array:
        dtype, drawn = self.spec.dtype, whole(self.style, self.rng, shape, self.spec.usage.ties)
        if dtype.is_float or dtype.bits >= 64:
            return np.maximum(drawn, 0) if dtype.name.startswith("U") else drawn
        span = 1 << dtype.bits  # what does not fit wraps around
        return drawn % span if dtype.name.startswith("U") else (drawn + span // 2) % span - span // 2

    def _lengths(self, shape: tuple[int, ...]) -> Array:
        """Between half of the longest axis and all of it; the first is all of it, as where batches are padded."""
        drawn = np.asarray(self.rng.integers(max(1, self.span // 2), self.span + 1, shape))
        if drawn.ndim:
            drawn[:1] = self.span
        return drawn if drawn.ndim else np.asarray(self.span)

    def _bounds(self) -> tuple[int, int]:
        usage, dtype = self.spec.usage, self.spec.dtype
        if usage.lo is not None or usage.hi is not None:
            lo = usage.lo if usage.lo is not None else min(0, (usage.hi or 1) - 1)
            hi = usage.hi if usage.hi is not None else lo + 10
        else:
            lo, hi = [_wide(dtype), (0, 10), (0, 2), (0, 1), (1, 2)][min(self.width, WIDTHS - 1)]
        if not dtype.is_float:
            span = 1 << dtype.bits
            least = 0 if dtype.name.startswith("U") else -(span // 2)
            lo, hi = max(lo, least), min(hi, least + span)
        return lo, max(hi, lo + 1)


def _wide(dtype: DType) -> tuple[int, int]:
    """Bytes are mostly pixels or quantized numbers and use all of their range; wider integers are mostly small."""
    if dtype.bits <= 8 and not dtype.is_float:
        return (0, 1 << dtype.bits) if dtype.name.startswith("U") else (-(1 << dtype.bits - 1), 1 << dtype.bits - 1)
    return (0, 10)
