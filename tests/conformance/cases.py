"""Whether a model still gives what one of ONNX's backend test cases expects."""

from __future__ import annotations

from typing import Any

import numpy as np

from gopt.testing.backend_cases import BackendCase

RTOL, ATOL = 1e-3, 1e-5


def run(data: bytes, inputs: list[Any]) -> list[Any]:
    """Outputs of a model in ONNX Runtime, graph optimizations off.

    Raises:
        Exception: whatever ONNX Runtime raises when it does not take the model or its inputs.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, {i.name: v for i, v in zip(session.get_inputs(), inputs)})


def mismatch(expected: list[Any], got: list[Any]) -> str:
    """Why outputs differ from the expected ones; "" if they do not."""
    if len(expected) != len(got):
        return f"{len(got)} outputs where {len(expected)} are expected"
    for index, (want, have) in enumerate(zip(expected, got)):
        why = _differs(want, have)
        if why:
            return f"output {index}: {why}"
    return ""


def _differs(want: Any, have: Any) -> str:
    if want is None or have is None:
        return "" if want is have else "absent on one side"
    if isinstance(want, list):
        return mismatch(want, have)
    want, have = np.asarray(want), np.asarray(have)
    if want.shape != have.shape:
        return f"shape {have.shape} where {want.shape} is expected"
    if want.dtype.kind in "OSU":
        flat = [[s.decode() if isinstance(s, bytes) else str(s) for s in a.ravel().tolist()] for a in (want, have)]
        return "" if flat[0] == flat[1] else "strings differ"
    if want.dtype != have.dtype:
        return f"{have.dtype} where {want.dtype} is expected"
    if want.dtype.kind not in "fc":
        return "" if np.array_equal(want, have) else "elements differ"
    close = np.allclose(want, have, rtol=RTOL, atol=ATOL, equal_nan=True)
    return "" if close else f"error {float(np.nanmax(np.abs(want - have))):.2g}"


def verdict(data: bytes, case: BackendCase) -> str:
    """Why ONNX Runtime does not give a case's expected outputs for this model; "" if it does."""
    for inputs, expected in case.data_sets():
        try:
            got = run(data, inputs)
        except Exception as error:  # the binding raises a class of its own for each failure
            return f"{type(error).__name__}: {error}".replace("\n", " ")
        why = mismatch(expected, got)
        if why:
            return why
    return ""
