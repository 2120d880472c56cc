"""Judging whether two runs gave the same numbers, as far as a rule promises it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..analysis import infer
from ..frontends.onnx import load, to_bytes
from ..ir import Array, ArrayTensor, DType, Graph, Role, TensorType, Value
from ..rewrite import Numerics
from .plans import Rng
from .runner import Outputs
from .running import RUNNER, Crashed


def difference(want: Any, got: Any, numerics: Numerics) -> tuple[float, str]:
    """Largest error, relative to the largest magnitude of both outputs, and why it is too much ("" if it is not).

    EXACT demands equal bits but for the payload of NaN; FINITE equal numbers, NaN and infinities in the same places;
    ROUNDING numbers that are close.
    """
    if isinstance(want, list) or isinstance(got, list):
        return _sequence(want, got, numerics)
    if want is None or got is None:
        return (0.0, "") if want is got else (np.inf, "an optional value is there in one run only")
    want, got = np.asarray(want), np.asarray(got)
    if want.shape != got.shape or want.dtype != got.dtype:
        return np.inf, f"{want.dtype}{list(want.shape)} became {got.dtype}{list(got.shape)}"
    if want.dtype.kind != "f":
        return (0.0, "") if np.array_equal(want, got) else (np.inf, _first(want, got, want != got))
    wrong = ~((want == got) | (np.isnan(want) & np.isnan(got)))
    if numerics is Numerics.EXACT:
        wrong |= ~np.isnan(want) & (np.signbit(want) != np.signbit(got))
    if not wrong.any():
        return 0.0, ""
    if numerics is not Numerics.ROUNDING:
        return np.inf, _first(want, got, wrong)
    finite = np.isfinite(want) & np.isfinite(got)
    if (wrong & ~finite).any():
        return np.inf, _first(want, got, wrong & ~finite)
    a, b = want[finite].astype(np.float64), got[finite].astype(np.float64)
    error = float(np.max(np.abs(a - b)) / max(float(np.max(np.abs(a))), float(np.max(np.abs(b))), 1e-6))
    if error <= _LIMITS.get(want.dtype.name, 2e-5):
        return error, ""
    return error, f"error {error:.2g} of the largest magnitude: {_first(want, got, wrong)}"


_LIMITS = {"float16": 1e-2, "float32": 2e-5, "float64": 1e-12}


def _sequence(want: Any, got: Any, numerics: Numerics) -> tuple[float, str]:
    if not isinstance(want, list) or not isinstance(got, list) or len(want) != len(got):
        return np.inf, "a sequence is of another length"
    errors = [difference(a, b, numerics) for a, b in zip(want, got)]
    return max((e for e, _ in errors), default=0.0), next((why for _, why in errors if why), "")


def _first(want: Array, got: Array, wrong: Array) -> str:
    """The first element that differs."""
    place = tuple(int(k) for k in np.argwhere(wrong)[0])
    where = f"[{', '.join(map(str, place))}]: " if place else ""
    return f"{where}{want[place]!s} became {got[place]!s}"


_STEPS = {DType.BFLOAT16: 2.0**-8, DType.FLOAT16: 2.0**-11, DType.FLOAT: 2.0**-24, DType.DOUBLE: 2.0**-53}
_PICKY = frozenset({"Clip", "GlobalMaxPool", "Max", "MaxPool", "Min", "ReduceMax", "ReduceMin", "Relu"})


class Judge:
    """What is to be said of outputs that differ.

    The promise of FINITE ends where NaN, an infinity or -0 occurs anywhere in the model, and that of ROUNDING where the
    model itself multiplies rounding errors: both are looked into only where numbers differ, for both cost runs.
    """

    def __init__(self, data: bytes, inputs: dict[str, Array], numerics: Numerics, rng: Rng) -> None:
        self.data = data
        self.inputs = inputs
        self.numerics = numerics
        self.rng = rng

    def compare(self, want: Outputs, got: Outputs) -> tuple[float, list[str]]:
        """The largest error that is excused by nothing or allowed, and what is wrong."""
        largest, problems = 0.0, []
        for name, value in want.items():
            if name not in got:
                problems.append(f"output {name!r} is gone")
                continue
            error, why = difference(value, got[name], self.numerics)
            if why and self._excused(name, value, got[name]):
                continue
            if why:
                problems.append(f"output {name!r}{why if why.startswith('[') else ': ' + why}")
            largest = max(largest, error)
        return largest, problems

    def _excused(self, name: str, want: Any, got: Any) -> bool:
        if not isinstance(want, np.ndarray) or want.shape != np.shape(got) or want.dtype != np.asarray(got).dtype:
            return False
        if self.numerics is Numerics.EXACT:
            return not difference(want, got, Numerics.FINITE)[1] and self._picks_zeros()
        if self.numerics is Numerics.FINITE:
            return self._meets_special()
        if want.dtype.kind not in "fiub":
            return False
        real = np.isfinite(want)  # nothing is promised of what is no real number
        a, b = want[real], np.asarray(got)[real]
        if not np.isfinite(b).all():
            return False
        if not difference(a, b, self.numerics)[1]:
            return True
        moved = np.abs(a.astype(np.float64) - b.astype(np.float64))
        return float(np.max(moved, initial=0.0)) <= 8 * self._sensitivity(name, want)

    def _meets_special(self) -> bool:
        """True if NaN, an infinity or -0 occurs among the inputs, constants or results of the original."""
        model = load(self.data)
        graph = model.graph
        constants = [v.tensor.numpy() for g in model.graphs() for v in g.values if v.tensor is not None]
        if any(map(_special, (*self.inputs.values(), *constants))):
            return True
        seen = {v.name for v in graph.outputs}
        for op in graph.ops:
            for value in op.outputs:
                if value is not None and value.name not in seen and isinstance(value.type, TensorType | None):
                    graph.set_output(len(graph.outputs), value)
        results = self._run(to_bytes(model), self.inputs)
        return any(isinstance(r, np.ndarray) and _special(r) for r in results.values())

    def _picks_zeros(self) -> bool:
        """True if an op of the original chooses between 0 and -0, which the runtime does one way or the other.

        Its vectorized kernels take the first one, what is left over at the end of an array the second.
        """
        return any(op.op_type in _PICKY for graph in load(self.data).graphs() for op in graph.ops)

    def _sensitivity(self, name: str, want: Array) -> float:
        """How much an output of the original moves when inputs, constants and results move by a rounding error each."""
        step = self._rounding()
        finite = np.isfinite(want)
        largest = 0.0
        for _ in range(4):
            model = load(self.data)
            infer(model)
            for graph in model.graphs():
                self._move_constants(graph, step)
            self._move_results(model.graph, step)
            inputs = {n: self._moved(a, step) for n, a in self.inputs.items()}
            got = self._run(to_bytes(model), inputs).get(name)
            if isinstance(got, np.ndarray) and got.shape == want.shape:
                both = finite & np.isfinite(got)
                moved = np.abs(want[both].astype(np.float64) - got[both].astype(np.float64))
                largest = max(largest, float(np.max(moved, initial=0.0)))
        return largest

    def _rounding(self) -> float:
        """The rounding error of the coarsest floats in the original: a double may come of numbers that were coarser."""
        model = load(self.data)
        infer(model)
        types = [v.type for graph in model.graphs() for v in graph.values]
        found = {t.dtype for t in types if isinstance(t, TensorType)}
        return max((step for dtype, step in _STEPS.items() if dtype in found), default=2.0**-24)

    def _move_constants(self, graph: Graph, step: float) -> None:
        for value in list(graph.constants):
            if value.tensor is not None and value.tensor.dtype.is_float and value.is_needed:
                new = Value("", Role.CONST, ArrayTensor(self._moved(value.tensor.numpy(), step)))
                graph.replace_uses(value, graph.attach(new))

    def _move_results(self, graph: Graph, step: float) -> None:
        """Multiply each result that is used with about 1."""
        for op in graph.ops:
            for value in op.outputs:
                dtype = value.type.dtype if value is not None and isinstance(value.type, TensorType) else None
                if value is None or dtype not in (DType.FLOAT16, DType.FLOAT, DType.DOUBLE) or not value.uses:
                    continue
                factor = self._moved(np.ones((), dtype.numpy), step)
                moved = graph.add(ops.make("Mul", [value, factor], {}, opsets=graph.opsets))
                places = [k for k, v in enumerate(graph.outputs) if v is value]
                graph.replace_uses(value, moved.result, keep=(moved,))
                for place in places:  # outputs are looked for by their names
                    graph.set_output(place, value)

    def _run(self, data: bytes, inputs: dict[str, Array]) -> Outputs:
        try:
            return RUNNER.run(data, inputs)[0] or {}
        except Crashed:
            return {}

    def _moved(self, data: Array, step: float) -> Array:
        if data.dtype.kind != "f":
            return data
        factor = 1 + step * self.rng.choice([-2, -1, 1, 2], data.shape)
        with np.errstate(all="ignore"):
            return np.asarray((data.astype(np.float64) * factor).astype(data.dtype))


def _special(data: Array) -> bool:
    return data.dtype.kind == "f" and bool((~np.isfinite(data) | ((data == 0) & np.signbit(data))).any())
