"""What runs a model, and answers requests to: by ONNX Runtime without graph optimizations."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any, BinaryIO

Outputs = dict[str, Any]
Interface = tuple[tuple[str, str, str], ...]


def execute(data: bytes, inputs: dict[str, Any]) -> tuple[Outputs | None, Interface]:
    """Outputs of a model by name; and name, type and shape of each input and (without shape) output.

    A model that does not load or run has None for outputs.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
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


def serve(source: BinaryIO, sink: BinaryIO, answer: Callable[[bytes, dict[str, Any]], Any]) -> None:
    """Answer requests until there are no more."""
    while True:
        try:
            data, inputs = pickle.load(source)
        except EOFError:
            return
        pickle.dump(answer(data, inputs), sink, protocol=pickle.HIGHEST_PROTOCOL)
        sink.flush()
