"""Runs in a process of its own: NVIDIA's parser and builder take a model, or say why not.

Needs the standard library and TensorRT alone, so that any interpreter that has it can run it: `worker.py FD` reads
a job per line on stdin (JSON) and writes one or more events, a line each, to the file descriptor FD. A job:

    model       path of the ONNX file
    module      "tensorrt_rtx" or "tensorrt"
    level       "parsed" or "built"
    strong      a strongly typed network (TensorRT for RTX and 11 know no other)
    profile     {input: [smallest, usual, largest]} shapes
    values      {input: [smallest, usual, largest]} elements, of inputs that hold sizes
    capability  compute capabilities to build for, such as ["SM86"]; those of the GPU that is there by default
    workspace   bytes of scratch memory that the builder may plan with; 0 for its own default

Events: {"stage": "parsed" | "built", "ok", "errors": [{"node", "op", "text", "code", "scope"}], "seconds", ...}, the
last with "end": true.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

MOST_ERRORS = 50


def main() -> None:
    """Serve jobs until stdin ends."""
    out = os.fdopen(int(sys.argv[1]), "w", encoding="utf-8")
    for line in sys.stdin:
        job = json.loads(line)
        trt = importlib.import_module(job["module"])
        for event in _run(trt, job):
            print(json.dumps(event), file=out, flush=True)
        print(json.dumps({"end": True, "version": trt.__version__}), file=out, flush=True)


def _run(trt: Any, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    logger, said = _logger(trt)
    with contextlib.suppress(AttributeError):  # TensorRT for RTX has no plugins
        trt.init_libnvinfer_plugins(logger, "")
    builder = trt.Builder(logger)
    network = builder.create_network(_flags(trt, job))
    parser = trt.OnnxParser(network, logger)
    with contextlib.suppress(AttributeError):
        parser.set_flag(trt.OnnxParserFlag.NATIVE_INSTANCENORM)
    start = time.perf_counter()
    ok = bool(parser.parse_from_file(job["model"]))
    errors = [_error(parser.get_error(k)) for k in range(min(parser.num_errors, MOST_ERRORS))]
    yield {
        "stage": "parsed",
        "ok": ok,
        "errors": errors if errors or ok else [{"text": text} for text in said],
        "layers": network.num_layers,
        "seconds": time.perf_counter() - start,
    }
    if not ok or job["level"] == "parsed":
        return
    said.clear()
    start = time.perf_counter()
    config = builder.create_builder_config()
    if job.get("workspace"):
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, job["workspace"])
    _capabilities(trt, config, job.get("capability") or [])
    why = _profile(builder, network, config, job.get("profile") or {}, job.get("values") or {})
    engine = None if why else builder.build_serialized_network(network, config)
    size = 0 if engine is None else int(engine.nbytes)
    yield {
        "stage": "built",
        "ok": engine is not None,
        "errors": [] if engine is not None else [_located(text) for text in ([why] if why else said)],
        "bytes": size,
        "seconds": time.perf_counter() - start,
    }


def _logger(trt: Any) -> tuple[Any, list[str]]:
    """A logger, and the list of the errors that it was told."""
    said: list[str] = []

    class Logger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: Any, text: str) -> None:
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR) and len(said) < MOST_ERRORS:
                said.append(text)

    return Logger(), said


def _flags(trt: Any, job: dict[str, Any]) -> int:
    kinds = trt.NetworkDefinitionCreationFlag
    flags = 0
    for name, wanted in (("EXPLICIT_BATCH", True), ("STRONGLY_TYPED", job.get("strong", True))):
        if wanted and hasattr(kinds, name):
            flags |= 1 << int(getattr(kinds, name))
    return flags


def _capabilities(trt: Any, config: Any, names: list[str]) -> None:
    """Name the GPUs to build for, where the builder can do without one at hand."""
    if names and hasattr(config, "num_compute_capabilities"):
        config.num_compute_capabilities = len(names)
        for place, name in enumerate(names):
            config.set_compute_capability(getattr(trt.ComputeCapability, name), place)


def _profile(builder: Any, network: Any, config: Any, wanted: dict[str, Any], values: dict[str, Any]) -> str:
    """Give the configuration an optimization profile; why that cannot be, or ""."""
    profile = builder.create_optimization_profile()
    needed = False
    for place in range(network.num_inputs):
        value = network.get_input(place)
        shapes = wanted.get(value.name)
        if -1 in tuple(value.shape):
            if shapes is None:
                return f"input {value.name} has dynamic dims and no profile"
            profile.set_shape(value.name, *[tuple(shape) for shape in shapes])
            needed = True
        if value.is_shape_tensor:
            if value.name not in values:
                return f"input {value.name} holds sizes: the profile has to say how large they are"
            profile.set_shape_input(value.name, *values[value.name])
            needed = True
    if needed:
        config.add_optimization_profile(profile)
    return ""


def _error(error: Any) -> dict[str, Any]:
    """What the parser says of a node."""
    return {
        "node": error.node_name(),
        "op": error.node_operator(),
        "text": " ".join(error.desc().split()),
        "code": str(error.code()).rpartition(".")[2],
        "place": error.node(),
        "scope": list(error.local_function_stack() or ()) if hasattr(error, "local_function_stack") else [],
    }


_LAYER = re.compile(r"(?:layer|node|\bfor)\s*\[?\s*([^\s:\[\]()]+)", re.IGNORECASE)


def _located(text: str) -> dict[str, Any]:
    """What the builder says: a sentence that may name a layer, which is named like its node."""
    found = _LAYER.search(text)
    return {"text": " ".join(text.split()), "node": found[1] if found else ""}


if __name__ == "__main__":
    main()
