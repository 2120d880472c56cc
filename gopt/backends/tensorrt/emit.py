"""What lies beside a model that is made for TensorRT: how to build its engine, and how ONNX Runtime is to use it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from .profiles import Profile


@dataclass(frozen=True)
class Flavor:
    """What differs between the TensorRTs.

    Attributes:
        title: for people.
        module: the Python package.
        package: what installs it.
        trtexec: the command line tool.
        weak: types may be chosen by the builder.
        provider: ONNX Runtime's execution provider.
        prefix: of the names of the provider's options.
    """

    title: str
    module: str
    package: str
    trtexec: str
    weak: bool
    provider: str
    prefix: str


def write(
    folder: Path,
    model: Path,
    profile: Profile,
    flavor: Flavor,
    capability: tuple[str, ...],
    *,
    quantized: bool = False,
) -> list[Path]:
    """Write the profile, the build script, the command line and the provider's options; returns the files.

    Args:
        folder: where they go.
        model: the ONNX file in it.
        profile: sizes that the engine is built for.
        flavor: which TensorRT.
        capability: GPUs to build for.
        quantized: the model has QuantizeLinear or DequantizeLinear.
    """
    files = {
        "profile.json": json.dumps(profile.as_dict(), indent=2) + "\n",
        "build_engine.py": build_script(model, flavor, capability),
        "trtexec.sh": f"#!/bin/sh\n# Run in this folder.\n{command_line(model, profile, flavor)}\n",
        "onnxruntime.json": json.dumps(provider_options(model, profile, flavor, quantized), indent=2) + "\n",
    }
    written = []
    for name, text in files.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        if not name.endswith(".json"):
            path.chmod(0o755)
        written.append(path)
    return written


def build_script(model: Path, flavor: Flavor, capability: tuple[str, ...]) -> str:
    """A Python script that builds the engine."""
    from jinja2 import Environment, StrictUndefined

    source = resources.files(__package__).joinpath("templates/build_engine.py.j2").read_text(encoding="utf-8")
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    environment.filters["literal"] = repr  # no markup is made: names go into the script as Python literals
    return environment.from_string(source).render(
        model=model.name,
        engine=f"{model.stem}.engine",
        title=flavor.title,
        module=flavor.module,
        package=flavor.package,
        rtx=flavor.module == "tensorrt_rtx",
        weak=flavor.weak,
        capability=list(capability),
    )


def command_line(model: Path, profile: Profile, flavor: Flavor) -> str:
    """What builds the engine from a shell."""
    words = [flavor.trtexec, f"--onnx={model.name}", f"--saveEngine={model.stem}.engine"]
    if flavor.weak:
        words.append("--stronglyTyped")  # every type as the model has it: so it was proved
    for place, name in enumerate(("min", "opt", "max")):
        if spans_ := {**profile.shapes, **profile.values}:
            shapes = ",".join(f"{_quoted(n)}:{_times(spans[place])}" for n, spans in spans_.items())
            words.append(f"--{name}Shapes={shapes}")
    return " \\\n  ".join(shlex.quote(w) for w in words)


def provider_options(model: Path, profile: Profile, flavor: Flavor, quantized: bool = False) -> dict[str, Any]:
    """The providers of an ONNX Runtime session: `InferenceSession(model, providers=[tuple(p) for p in ...])`."""
    options: dict[str, str] = {}
    if flavor.prefix == "trt":
        options = {
            "trt_engine_cache_enable": "True",
            "trt_engine_cache_path": f"{model.stem}.cache",
            "trt_timing_cache_enable": "True",
        }
        if quantized:
            options["trt_int8_enable"] = "True"
    for place, name in enumerate(("min", "opt", "max")):
        if spans_ := {**profile.shapes, **profile.values}:
            shapes = ",".join(f"{n}:{_times(spans[place])}" for n, spans in spans_.items())
            options[f"{flavor.prefix}_profile_{name}_shapes"] = shapes
    providers: list[list[str | Mapping[str, str]]] = [[flavor.provider, options], ["CPUExecutionProvider", {}]]
    return {"model": model.name, "providers": providers}


def _quoted(name: str) -> str:
    """A name as trtexec reads it: with quotes where it has a colon itself."""
    return f"'{name}'" if ":" in name else name


def _times(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
