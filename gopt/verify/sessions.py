"""A model in ONNX Runtime, as written: graph optimizations off, one thread. Used by the worker process only."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..ir import Array, DType
from ..ir.tensor import pack, unpack

# ONNX Runtime's names of element types that numpy has no word for; they go in and out as raw bytes.
_EXOTIC = {
    "bfloat16": DType.BFLOAT16,
    "float8e4m3fn": DType.FLOAT8E4M3FN,
    "float8e4m3fnuz": DType.FLOAT8E4M3FNUZ,
    "float8e5m2": DType.FLOAT8E5M2,
    "float8e5m2fnuz": DType.FLOAT8E5M2FNUZ,
    "float8e8m0": DType.FLOAT8E8M0,
    "uint4": DType.UINT4,
    "int4": DType.INT4,
    "uint2": DType.UINT2,
    "int2": DType.INT2,
    "float4e2m1": DType.FLOAT4E2M1,
}
_NOISE = re.compile(
    r"\[ONNXRuntimeError\]\s*:\s*\d+\s*:\s*\w+\s*:\s*|Load model from \S+ failed:\s*|"
    r"Non-zero status code returned while |/\S*?/onnxruntime/\S+?:\d+\s+\S.*?\)\s+|\s*\n\s*"
)


class Unverified(Exception):
    """Nothing can be said about the model; the message says why."""


class Session:
    """A loaded model.

    Attributes:
        inputs: names and types (in ONNX Runtime's words) of the inputs that must be fed.
        outputs: names and types of the outputs.
    """

    def __init__(self, model: Path | bytes, folder: Path | None = None, optimized: bool = False) -> None:
        """Load a file, or bytes whose external data lie in a folder; `optimized`: let the runtime rewrite it."""
        import onnxruntime as ort

        self._ort = ort
        options = ort.SessionOptions()
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # The arena keeps twice what the largest try needed; sizes are tried here one after the other.
        options.enable_cpu_mem_arena = False
        # Weights are packed where they are constants, and some kernels then add up in another order: a model of which
        # only constants were folded would not be bit-equal to itself.
        if not optimized:
            options.add_session_config_entry("session.disable_prepacking", "1")
        if folder is not None:  # of the external data of a model that is given as bytes
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
        source = model if isinstance(model, bytes) else str(model)
        self._session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.inputs = {i.name: str(i.type) for i in self._session.get_inputs()}
        self.outputs = {o.name: str(o.type) for o in self._session.get_outputs()}
        self._raw = any(_exotic(t) is not None for t in [*self.inputs.values(), *self.outputs.values()])

    def run(self, feed: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Outputs by name, in the order of the interface.

        Raises:
            TimeoutError: it took longer than `seconds`.
            Exception: whatever ONNX Runtime complains of.
        """
        options = self._ort.RunOptions()
        options.log_severity_level = 4
        late = threading.Event()

        def stop() -> None:
            late.set()
            options.terminate = True  # seen between two nodes

        timer = threading.Timer(max(0.01, seconds), stop)
        timer.daemon = True
        timer.start()
        try:
            if self._raw:
                return self._run_raw(feed, options)
            return dict(zip(self.outputs, self._session.run(None, dict(feed), options)))
        except Exception as error:
            if late.is_set():
                raise TimeoutError(f"it took longer than {seconds:.3g} s") from error
            raise
        finally:
            timer.cancel()

    def _run_raw(self, feed: Mapping[str, Any], options: Any) -> dict[str, Any]:
        values = {name: self._enter(value, self.inputs.get(name, "")) for name, value in feed.items()}
        results = self._session.run_with_ort_values(None, values, options)
        return {name: self._leave(value, kind) for (name, kind), value in zip(self.outputs.items(), results)}

    def _enter(self, value: Any, kind: str) -> Any:
        dtype = _exotic(kind)
        if dtype is None:
            if not isinstance(value, np.ndarray):
                raise TypeError(f"{kind} beside an input of fewer bits than numpy has")
            return self._ort.OrtValue.ortvalue_from_numpy(value)
        made = self._ort.OrtValue.ortvalue_from_shape_and_type(list(value.shape), int(dtype), "cpu")
        data = bytes(pack(value, dtype))
        ctypes.memmove(made.data_ptr(), data, min(len(data), made.tensor_size_in_bytes()))
        return made

    def _leave(self, value: Any, kind: str) -> Any:
        dtype = _exotic(kind)
        if dtype is None:
            return value.numpy()
        data = ctypes.string_at(value.data_ptr(), value.tensor_size_in_bytes())
        return unpack(data, dtype, tuple(value.shape()))


def _exotic(kind: str) -> DType | None:
    found = re.fullmatch(r"tensor\((\w+)\)", kind)
    return _EXOTIC.get(found[1]) if found else None


def brief(error: BaseException) -> str:
    """What went wrong, in one line: without ONNX Runtime's prefixes and source positions."""
    text = _NOISE.sub(" ", str(error)[:2000]).strip() or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def seeded(path: Path, known: list[str]) -> bytes:
    """The model with a seed for each random operator that has none, so that two models draw alike.

    Args:
        path: the model file.
        known: the results of random operators of the original, in order. An operator whose result has one of these
            names gets that one's seed; others take the seeds that are left, in order.
    """
    import onnx

    from .flow import Facts

    model = onnx.load(path, load_external_data=False)
    facts = Facts(model)
    here = set(facts.random)
    left = iter([k for k, name in enumerate(known) if name not in here])
    seeds = {name: known.index(name) if name in known else next(left, len(known)) for name in facts.random}
    for node, _ in facts.scopes.nodes:
        if node.output and node.output[0] in seeds and not any(a.name == "seed" for a in node.attribute):
            node.attribute.append(onnx.helper.make_attribute("seed", 1.0 + seeds[node.output[0]]))
    return bytes(model.SerializeToString())


def stored(value: Any, folder: Path, threshold: int) -> Any:
    """The value with its large tensors written to files and mapped; anything else as it is."""
    if isinstance(value, (list, tuple)):
        return [stored(v, folder, threshold) for v in value]
    if not isinstance(value, np.ndarray) or value.dtype.hasobject or value.nbytes < threshold:
        return value
    path = folder / f"output-{len(list(folder.iterdir()))}.npy"
    dtype = value.dtype
    plain: Array = value if dtype.isbuiltin else value.view(f"u{dtype.itemsize}")
    np.save(path, plain, allow_pickle=False)
    return np.load(path, mmap_mode="r", allow_pickle=False).view(dtype)
