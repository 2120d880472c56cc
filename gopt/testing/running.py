"""Running models by ONNX Runtime, and judging whether two runs gave the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..frontends.onnx import load, to_bytes
from ..ir import Array, ArrayTensor, Graph, Role, TensorType, Value
from ..rewrite import Numerics
from .plans import Rng

Outputs = dict[str, Any]
Interface = tuple[tuple[str, str, str], ...]


def run(data: bytes, inputs: dict[str, Array]) -> dict[str, Array] | None:
    """Outputs of a model by name, by ONNX Runtime without graph optimizations; None if it does not load or run."""
    found, _ = run_with_interface(data, inputs)
    return found


def run_with_interface(data: bytes, inputs: dict[str, Array]) -> tuple[Outputs | None, Interface]:
    """Outputs of a model by name, and name, type and shape of each input and (without shape) output.

    A model that does not load or run has None for outputs.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # With weights packed beforehand the order of additions depends on which operands are constant.
    options.add_session_config_entry("session.disable_prepacking", "1")
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        takes = (*session.get_inputs(), *session.get_overridable_initializers())
        gives = session.get_outputs()
        interface = (
            *(("input", i.name, f"{i.type} {i.shape}") for i in takes),
            *(("output", o.name, o.type) for o in gives),
        )
        return dict(zip([o.name for o in gives], session.run(None, inputs))), interface
    except Exception:  # the binding raises a class of its own for each failure
        return None, ()


def difference(want: Any, got: Any, numerics: Numerics) -> tuple[float, str]:
    """Largest error relative to the output's largest magnitude, and why it is too much ("" if it is not).

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
    finite = np.isfinite(want)
    if (finite != np.isfinite(got)).any():
        return np.inf, _first(want, got, finite != np.isfinite(got))
    if not finite.any():
        return 0.0, ""
    a, b = want[finite].astype(np.float64), got[finite].astype(np.float64)
    error = float(np.max(np.abs(a - b)) / max(float(np.max(np.abs(a))), 1e-6))
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
            if why and self._excused(name, value, got[name], error):
                continue
            if why:
                problems.append(f"output {name!r}{why if why.startswith('[') else ': ' + why}")
            largest = max(largest, error)
        return largest, problems

    def _excused(self, name: str, want: Any, got: Any, error: float) -> bool:
        if self.numerics is Numerics.EXACT or not isinstance(want, np.ndarray) or want.shape != np.shape(got):
            return False
        if self.numerics is Numerics.FINITE:
            return self._meets_special()
        if not np.isfinite(error):  # nothing is promised of what is no real number
            if want.dtype.kind != "f" or bool((np.isfinite(want) & ~np.isfinite(got)).any()):
                return want.dtype.kind != "f" and self._sensitivity(name, want) > 0
            return self._meets_special()
        return error <= 8 * self._sensitivity(name, want)

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
        results = run(to_bytes(model), self.inputs) or {}
        return any(isinstance(r, np.ndarray) and _special(r) for r in results.values())

    def _sensitivity(self, name: str, want: Array) -> float:
        """How much an output of the original moves when its inputs and constants move by a rounding error each."""
        step = {"float16": 2.0**-11, "float64": 2.0**-53}.get(want.dtype.name, 2.0**-24)
        finite = np.isfinite(want)
        scale = max(float(np.max(np.abs(want[finite].astype(np.float64)), initial=0.0)), 1e-6)
        largest = 0.0
        for _ in range(4):
            model = load(self.data)
            for graph in model.graphs():
                self._move_constants(graph, step)
            inputs = {n: self._moved(a, step) for n, a in self.inputs.items()}
            got = (run(to_bytes(model), inputs) or {}).get(name)
            if isinstance(got, np.ndarray) and got.shape == want.shape:
                both = finite & np.isfinite(got)
                moved = np.abs(want[both].astype(np.float64) - got[both].astype(np.float64))
                largest = max(largest, float(np.max(moved, initial=0.0)) / scale)
        return largest

    def _move_constants(self, graph: Graph, step: float) -> None:
        for value in list(graph.constants):
            if value.tensor is not None and value.tensor.dtype.is_float and value.is_needed:
                new = Value("", Role.CONST, ArrayTensor(self._moved(value.tensor.numpy(), step)))
                graph.replace_uses(value, graph.attach(new))

    def _moved(self, data: Array, step: float) -> Array:
        if data.dtype.kind != "f":
            return data
        factor = 1 + step * self.rng.choice([-2, -1, 1, 2], data.shape)
        with np.errstate(all="ignore"):
            return np.asarray((data.astype(np.float64) * factor).astype(data.dtype))


def _special(data: Array) -> bool:
    return data.dtype.kind == "f" and bool((~np.isfinite(data) | ((data == 0) & np.signbit(data))).any())
